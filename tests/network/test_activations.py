from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spaceediting.data.cache import caching_in
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network import activations as module
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.predict import predict
from napari_spaceediting.network.spec import ClassifierSpec

SPEC = ClassifierSpec(latent_dim=8, n_classes=2, image_size=(12, 12))


class Counting:
    """Pixels that remember which images were read."""

    def __init__(self, pixels) -> None:
        self._pixels = pixels
        self.n_channels = pixels.n_channels
        self.seen: list[int] = []

    def __len__(self) -> int:
        return len(self._pixels)

    def __getattr__(self, name: str):
        return getattr(self._pixels, name)

    def read(self, index: int):
        self.seen.append(index)
        return self._pixels.read(index)


@pytest.fixture
def counted(make_bars) -> tuple[ImageDataset, list[int]]:
    dataset = make_bars(60)
    pixels = Counting(dataset.pixels)
    return replace(dataset, pixels=pixels), pixels.seen


@pytest.mark.parametrize("trainable", ["head", "last_block"])
def test_activations_are_those_of_the_body(make_bars, drain, trainable):
    dataset = make_bars(50)
    classifier = classifier_from(SPEC)
    found, progress = drain(activations(classifier, dataset, trainable, batch_size=16))
    with torch.inference_mode():
        images = torch.from_numpy(dataset.images(np.arange(50)))
        expected = classifier.body(trainable)(images).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert [p.done for p in progress] == [16, 32, 48, 50]
    assert found.dtype == np.float32


def test_batches_are_as_small_as_the_activations_need(
    make_bars, drain, tmp_path, monkeypatch
):
    dataset, classifier = make_bars(20), classifier_from(SPEC)
    whole, _ = drain(activations(classifier, dataset))
    sizes = []
    classifier.backbone.register_forward_hook(lambda *of: sizes.append(len(of[1][0])))
    # Most is taken by its second normalisation: 32 maps of 6 x 6 px go in and come out.
    most = 2 * 32 * 6 * 6 * 4
    monkeypatch.setenv("SPACEEDITING_MEMORY", str(64 * (3 * most)))
    with caching_in(tmp_path / "other"):
        found, progress = drain(activations(classifier, dataset))
    assert sizes == [1, 3, 3, 3, 3, 3, 3, 2]  # the first one to see what it takes
    assert [p.done for p in progress] == [3, 6, 9, 12, 15, 18, 20]
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)


def test_finished_images_are_not_read_again(counted, drain, tmp_path):
    dataset, seen = counted
    classifier = classifier_from(SPEC)
    steps = activations(classifier, dataset, batch_size=10)
    for _ in range(3):
        next(steps)
    steps.close()  # the user cancels
    assert seen == list(range(30))
    resumed, _ = drain(activations(classifier, dataset))
    assert seen == list(range(60))
    again, progress = drain(activations(classifier, dataset))
    assert seen == list(range(60))
    assert progress == []
    with caching_in(tmp_path / "other"):
        fresh, _ = drain(activations(classifier, dataset))
    np.testing.assert_allclose(resumed, fresh, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(resumed, again)


@pytest.mark.parametrize("trainable", ["head", "last_block"])
def test_what_is_on_disk_is_found_without_running_the_network(
    make_bars, drain, trainable
):
    dataset = make_bars(30)
    ran: list[int] = []
    classifier = classifier_from(SPEC)
    classifier.body(trainable).register_forward_hook(lambda *_: ran.append(1))
    expected, _ = drain(activations(classifier, dataset, trainable))
    assert ran
    ran.clear()
    found, _ = drain(activations(classifier, dataset, trainable))
    np.testing.assert_array_equal(found, expected)
    assert module.n_unfinished(classifier, dataset, trainable) == 0
    assert not ran


@pytest.mark.parametrize("head", [b"(30, 9, 9)", b"(30, 1 1, )", b"(30,)    ", b"\xff"])
def test_a_file_of_another_shape_is_made_anew(make_bars, drain, tmp_path, head):
    dataset, classifier = make_bars(30), classifier_from(SPEC)
    with caching_in(tmp_path):
        expected, _ = drain(activations(classifier, dataset))
        expected = np.array(expected)
        (path,) = (tmp_path / "activations").iterdir()
        content = path.read_bytes()
        start = content.index(b"(30")
        path.write_bytes(content[:start] + head + content[start + len(head) :])
        found, _ = drain(activations(classifier, dataset))
        np.testing.assert_array_equal(found, expected)


def test_damaged_cache_is_made_anew(counted, drain, tmp_path):
    dataset, seen = counted
    classifier = classifier_from(SPEC)
    first, _ = drain(activations(classifier, dataset))
    first = np.array(first)
    for path in (tmp_path / "activations").glob("*.npy"):
        path.write_bytes(path.read_bytes()[:100])
    again, _ = drain(activations(classifier, dataset))
    np.testing.assert_array_equal(first, again)
    assert len(seen) == 120


def test_other_weights_or_images_are_kept_apart(make_bars, drain, tmp_path):
    dataset = make_bars()
    results = [
        np.array(drain(activations(classifier, data, part))[0])
        for classifier, data, part in (
            (classifier_from(SPEC, seed=1), dataset, "head"),
            (classifier_from(SPEC, seed=2), dataset, "head"),
            (classifier_from(SPEC, seed=1), make_bars(seed=1), "head"),
            (
                classifier_from(SPEC, seed=1),
                replace(dataset, image_size=(16, 16)),
                "head",
            ),
            (classifier_from(SPEC, seed=1), dataset, "last_block"),
        )
    ]
    assert len(list((tmp_path / "activations").glob("*.npy"))) == 5
    assert len({result.tobytes() for result in results}) == 5


def test_those_of_mirror_images_are_kept_apart(make_bars, drain):
    dataset = make_bars(20)
    both = [
        drain(activations(classifier_from(replace(SPEC, mirror=m)), dataset))[0]
        for m in (False, True)
    ]
    assert not np.allclose(*both)


def test_a_new_head_finds_the_old_activations(counted, drain):
    dataset, seen = counted
    classifier = classifier_from(SPEC)
    drain(activations(classifier, dataset))
    classifier.grow_head(4)
    with torch.no_grad():
        classifier.embedding.weight.zero_()
    drain(predict(classifier, dataset))
    assert seen == list(range(60))


@pytest.mark.parametrize("part", ["head", "last_block"])
def test_predictions_are_those_of_the_network(make_bars, drain, part):
    dataset = make_bars(40)
    classifier = classifier_from(SPEC)
    found, progress = drain(
        predict(classifier, dataset, frozen_up_to=part, batch_size=16)
    )
    with torch.inference_mode():
        latents, logits = classifier(torch.from_numpy(dataset.images(np.arange(40))))
    np.testing.assert_allclose(found.latents, latents.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        found.probabilities, logits.softmax(1).numpy(), rtol=1e-4, atol=1e-5
    )
    assert progress[-1].done == progress[-1].total == 40


def test_network_without_classes_has_no_probabilities(make_bars, drain):
    classifier = classifier_from(replace(SPEC, n_classes=0))
    found, _ = drain(predict(classifier, make_bars(40)))
    assert found.latents.shape == (40, 8)
    assert found.probabilities.shape == (40, 0)


def test_oldest_are_deleted_beyond_the_limit(make_bars, drain, tmp_path, monkeypatch):
    dataset = make_bars(50)
    size = 50 * 512 * 4
    monkeypatch.setattr(module, "_CACHE_LIMIT", 2 * size + 1000)
    folder = tmp_path / "activations"
    kept = []
    for seed in range(3):
        drain(activations(classifier_from(SPEC, seed=seed), dataset))
        new = set(folder.glob("*.npy")) - set(kept)
        kept += sorted(new)
        os.utime(kept[-1], (seed, seed))
    assert set(folder.glob("*.npy")) == set(kept[1:])


def test_full_disk_is_a_sentence(make_bars, drain, monkeypatch):
    full = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(SpaceEditingError, match="no room for"):
        drain(activations(classifier_from(SPEC), make_bars()))


def test_only_images_that_joined_are_read(counted, make_bars, drain):
    dataset, seen = counted
    classifier = classifier_from(SPEC)
    first, _ = drain(activations(classifier, dataset))
    more = make_bars(10, seed=3)
    more = replace(more, ids=np.char.add("later", more.ids))
    joined = dataset.joined(more)
    seen.clear()
    both, progress = drain(activations(classifier, joined))
    assert seen == []
    assert [p.done for p in progress] == [70]
    np.testing.assert_array_equal(both[:60], first)
    alone, _ = drain(activations(classifier, more))
    np.testing.assert_allclose(both[60:], alone, rtol=1e-5, atol=1e-6)


def test_predictions_that_do_not_fit_in_memory_lie_in_a_file(
    make_bars, drain, monkeypatch
):
    classifier, dataset = classifier_from(SPEC), make_bars(60)
    in_memory, _ = drain(predict(classifier, dataset))
    assert not isinstance(in_memory.latents, np.memmap)
    monkeypatch.setenv("SPACEEDITING_MEMORY", "4KB")
    in_a_file, _ = drain(predict(classifier, dataset))
    assert isinstance(in_a_file.latents, np.memmap)
    np.testing.assert_array_equal(in_a_file.latents, in_memory.latents)
