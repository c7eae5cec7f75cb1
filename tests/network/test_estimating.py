"""How long a training takes, and what is kept of one that is enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.jobs import enough
from napari_spaceediting.jobs.job import in_words, run_job
from napari_spaceediting.network.estimating import HowLong, sample, sample_size
from napari_spaceediting.network.jobs import ExtractActivations, TrainNetwork
from napari_spaceediting.network.learnable import what_trains
from napari_spaceediting.network.spec import (
    EMBEDDINGS,
    ClassifierSpec,
    TrainSettings,
)

HEAD = TrainSettings(trainable="head", device="cpu")
ALL = TrainSettings(epochs=10, device="cpu")


def images(n: int, seed: int = 0) -> ImageDataset:
    pixels = np.random.default_rng(seed).integers(0, 255, (n, 16, 16), np.uint8)
    return ImageDataset(
        "noise",
        np.array([f"i{k}" for k in range(n)]),
        np.arange(n) % 2,
        ("a", "b"),
        np.resize(np.array([0, 0, 0, 1, 2], np.int8), n),
        ArrayPixels(pixels),
        IntensityScaling(),
        (16, 16),
    )


@pytest.fixture
def spec() -> ClassifierSpec:
    return ClassifierSpec(n_classes=2, image_size=(16, 16))


def test_it_grows_with_images_and_epochs(spec: ClassifierSpec) -> None:
    few, many = images(100), images(40_000)
    short = run_job(HowLong(few, spec, ALL))
    long = run_job(HowLong(many, spec, replace(ALL, epochs=10_000)))
    assert short.seconds > 0
    # 400 times the images and 1,000 times the epochs, whatever else runs here.
    assert long.seconds > 1000 * short.seconds
    assert long.is_long
    assert "24,000 images in up to 10000 epochs" in long.what.replace("10,000", "10000")
    assert "epochs" in long.depends


def test_what_is_read_already_takes_no_time(spec: ClassifierSpec) -> None:
    dataset = images(120, seed=1)
    before = run_job(HowLong(dataset, spec, HEAD))
    assert before.seconds > 0
    assert "120 images once" in before.what
    run_job(ExtractActivations(dataset, spec, None, "cpu"))
    after = run_job(HowLong(dataset, spec, HEAD))
    assert after.seconds == 0
    assert not after.is_long


def test_it_knows_what_a_training_does_without_labels(spec: ClassifierSpec) -> None:
    bare = replace(images(100), labels=np.full(100, UNLABELLED))
    everything = replace(HEAD, trainable="all")
    assert what_trains(bare, spec, everything) == "all"
    assert "60 images" in run_job(HowLong(bare, spec, everything)).what
    assert what_trains(bare, replace(spec, weights="a file"), everything) == "head"
    assert what_trains(bare, spec, HEAD) == "head", "its weights may have learnt"
    # What was exported has learnt; it is not to forget that.
    exported = replace(spec, backbone="file:a.pt2")
    assert what_trains(bare, exported, everything) == "head"
    assert what_trains(images(100), spec, HEAD) == "head"
    features = np.zeros((100, 3), np.float32)
    given = ClassifierSpec(EMBEDDINGS, n_classes=2, image_size=(1, 3))
    assert run_job(HowLong(replace(bare, features=features), given, HEAD)).seconds == 0


@pytest.mark.parametrize(
    ("n", "seconds", "size"),
    [
        (100_000, 20_000, 1_000),
        (100_000, 600, 10_000),
        (100_000, 110, 0),
        (1_900, 1_000_000, 0),
    ],
)
def test_a_sample_takes_about_a_minute(n: int, seconds: float, size: int) -> None:
    assert sample_size(n, seconds) == size


def test_a_sample_says_that_it_is_one() -> None:
    some = sample(images(50), 20, seed=0)
    assert len(np.unique(some.ids)) == 20
    assert some.name == "20 of noise"
    assert "20 of 50 images" in some.notes[-1]
    whole = images(50)
    at = np.flatnonzero(np.isin(whole.ids, some.ids))
    np.testing.assert_array_equal(some.labels, whole.labels[at])
    np.testing.assert_array_equal(some.split, whole.split[at])
    np.testing.assert_array_equal(some.original(3), whole.original(at[3]))


@pytest.mark.parametrize("labelled", [True, False])
def test_a_training_that_is_enough_keeps_what_is_trained(
    spec: ClassifierSpec, labelled: bool
) -> None:
    dataset = images(60)
    if not labelled:
        dataset = replace(dataset, labels=np.full(60, UNLABELLED))
    steps = TrainNetwork(dataset, spec, replace(ALL, patience=10)).run()
    try:
        losses = 0
        while losses < 25:  # of 10 in each epoch
            losses += "loss" in next(steps).metrics
        enough.want()
        while True:
            next(steps)
    except StopIteration as end:
        trained = end.value
    finally:
        enough.forget()
    assert len(trained.train.history) in (2, 3)
    assert len(trained.predictions.latents) == 60
    stopped = f"stopped in epoch {len(trained.train.history)} of 10"
    assert stopped in " ".join(trained.notes)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(30, "1 min"), (150, "2 min"), (3600, "1 h"), (19_800, "5 h 30 min")],
)
def test_how_long_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == f"about {words}"
