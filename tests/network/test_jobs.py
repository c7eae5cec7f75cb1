from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.data.dataset import UNLABELLED, Split
from napari_spaceediting.data.samples import digits
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.jobs import ExtractPredictions, TrainNetwork
from napari_spaceediting.network.kernel_ridge import roots
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings

SPEC = ClassifierSpec(latent_dim=8, image_size=(12, 12))
SETTINGS = TrainSettings(epochs=3, batch_size=16, device="cpu")


def neighbour_accuracy(latents, dataset) -> float:
    """Share of test images whose nearest training image has their true class."""
    train, test = dataset.split == Split.TRAIN, dataset.split == Split.TEST
    distances = np.linalg.norm(latents[test][:, None] - latents[train], axis=-1)
    truth = dataset.columns["truth"]
    return float((truth[train][distances.argmin(1)] == truth[test]).mean())


def test_importing_jobs_imports_no_torch() -> None:
    code = (
        "import sys, napari_spaceediting.network.jobs;"
        "print([m for m in ('torch', 'umap', 'sklearn', 'numba') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("trainable", ["head", "last_block", "all"])
def test_train_then_extract_again(make_bars, trainable):
    dataset = make_bars()
    settings = replace(SETTINGS, trainable=trainable)
    job = pickle.loads(pickle.dumps(TrainNetwork(dataset, SPEC, settings)))
    trained = pickle.loads(pickle.dumps(run_job(job)))
    learns_features = trainable != "head"
    assert trained.spec == replace(SPEC, n_classes=2, knows_labels=learns_features)
    width = 8 + 2 * (trainable == "head")
    assert trained.predictions.latents.shape == (60, width)
    assert trained.predictions.probabilities.shape == (60, 2)
    assert trained.notes == ()
    again = run_job(
        ExtractPredictions(dataset, trained.spec, trained.train.state, "cpu")
    )
    np.testing.assert_allclose(
        again.latents, trained.predictions.latents, rtol=1e-4, atol=1e-5
    )


def test_ten_labels_of_each_digit_make_a_decent_start():
    dataset = digits(labels_per_class=10)
    settings = TrainSettings(epochs=10, device="cpu")
    spec = ClassifierSpec(in_channels=1, image_size=dataset.image_size)
    trained = run_job(TrainNetwork(dataset, spec, settings))
    test = dataset.split == Split.TEST
    predicted = trained.predictions.probabilities[test].argmax(axis=1)
    assert (predicted == dataset.labels[test]).mean() > 0.85
    assert np.isfinite(trained.train.margins).sum() == 100


def test_a_class_without_labels_is_told(make_bars):
    dataset = replace(make_bars(), class_names=("level", "upright", "neither"))
    trained = run_job(TrainNetwork(dataset, SPEC, replace(SETTINGS, epochs=0)))
    assert trained.train.state["head.bias"].shape == (3,)
    assert trained.notes == (
        "No training image is labelled neither: it cannot be predicted.",
    )


def test_says_when_there_is_nothing_to_validate_with(make_bars):
    dataset = make_bars()
    labels = np.where(dataset.held_out, UNLABELLED, dataset.labels)
    trained = run_job(TrainNetwork(dataset.with_labels(labels), SPEC, SETTINGS))
    assert "No validation image is labelled" in trained.notes[0]


def test_labels_of_one_class_are_as_good_as_none(make_bars):
    dataset = make_bars(160)
    one = np.where(dataset.labels == 1, 1, UNLABELLED)
    settings = replace(SETTINGS, epochs=1, batch_size=32)
    trained = run_job(TrainNetwork(dataset.with_labels(one), SPEC, settings))
    assert trained.spec.n_classes == 0
    assert trained.predictions.probabilities.shape == (160, 0)
    assert np.isnan(trained.train.margins).all()
    assert trained.notes == (
        "All labels for training are of one class, upright, so the network learnt from "
        "the images alone.",
    )


def test_starts_without_any_label(make_bars):
    dataset = make_bars(160)
    dataset = dataset.with_labels(np.full(160, UNLABELLED), ())
    settings = replace(SETTINGS, epochs=5, batch_size=32, learning_rate=3e-3)
    trained = run_job(TrainNetwork(dataset, SPEC, settings))
    assert trained.spec.n_classes == 0
    assert trained.predictions.probabilities.shape == (160, 0)
    assert "images alone" in trained.notes[0]
    assert len(trained.train.history) == 5
    assert trained.train.history[-1].loss < trained.train.history[0].loss
    assert np.isnan(trained.train.margins).all()
    assert neighbour_accuracy(trained.predictions.latents, dataset) > 0.9


def test_published_features_are_projected_where_nothing_is_labelled(
    make_bars, tmp_path
):
    torch = pytest.importorskip("torch")
    dataset = make_bars(60)
    dataset = dataset.with_labels(np.full(60, UNLABELLED), ())
    start = classifier_from(SPEC, seed=8)
    path = tmp_path / "weights.pth"
    torch.save(start.backbone.state_dict(), path)
    spec = replace(SPEC, weights=str(path), latent_dim=40)
    trained = run_job(TrainNetwork(dataset, spec, SETTINGS))
    assert "small_cnn as it is" in trained.notes[0]
    with torch.inference_mode():
        features = start.backbone(torch.from_numpy(dataset.images(np.arange(60))))
    features, latents = roots(features).numpy(), trained.predictions.latents
    train = np.flatnonzero(dataset.split == Split.TRAIN)
    # 30 training images span fewer than 40 dimensions: no distance is lost.
    pairs = [
        np.linalg.norm(values[train][:, None] - values[train], axis=-1).ravel()
        for values in (features, latents)
    ]
    assert np.corrcoef(*pairs)[0, 1] > 0.999
    assert latents[train].var(axis=0).sum() == pytest.approx(1, rel=1e-3)


def test_same_seed_same_latents_without_labels(make_bars):
    dataset = make_bars(40)
    dataset = dataset.with_labels(np.full(40, UNLABELLED), ())
    job = TrainNetwork(dataset, SPEC, replace(SETTINGS, epochs=1))
    first, second = run_job(job), run_job(job)
    np.testing.assert_array_equal(first.predictions.latents, second.predictions.latents)
