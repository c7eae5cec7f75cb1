"""Mixed precision, which only graphics cards use; here the processor imitates them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network import device as devices
from napari_spaceediting.network.classifier import LatentClassifier, classifier_from
from napari_spaceediting.network.jobs import TrainedNetwork, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, Trainable, TrainSettings

SPEC = ClassifierSpec(latent_dim=8, n_classes=2, image_size=(12, 12))


@pytest.fixture
def mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks compute as they would on a graphics card that gains by it."""
    monkeypatch.setattr(devices, "gains_by_bfloat16", lambda device: True)


def test_processors_compute_in_float32(make_bars) -> None:
    classifier = classifier_from(SPEC)
    seen = dtypes_inside(classifier, torch.from_numpy(make_bars().images(np.arange(4))))
    assert seen == {torch.float32}


@pytest.mark.usefixtures("mixed")
def test_only_the_backbone_computes_in_bfloat16(make_bars) -> None:
    images = torch.from_numpy(make_bars().images(np.arange(30)))
    classifier = classifier_from(SPEC)
    assert dtypes_inside(classifier, images) == {torch.bfloat16}
    latents, logits = classifier(images)
    assert latents.dtype == logits.dtype == torch.float32
    expected, _ = classifier.classify(classifier.backbone(images))
    torch.testing.assert_close(latents, expected, rtol=0.05, atol=0.05)
    assert not torch.equal(latents, expected)
    assert {p.dtype for p in classifier.parameters()} == {torch.float32}


@pytest.mark.usefixtures("mixed")
@pytest.mark.parametrize("trainable", ["last_block", "all"])
def test_it_learns_as_well(make_bars, trainable: Trainable) -> None:
    dataset = make_bars(120)
    settings = TrainSettings(epochs=4, batch_size=64, trainable=trainable, device="cpu")
    job = TrainNetwork(dataset, SPEC, settings)
    trained: TrainedNetwork = run_job(job)
    assert np.isfinite([epoch.loss for epoch in trained.train.history]).all()
    classes = trained.predictions.probabilities.argmax(axis=1)
    assert (classes == dataset.labels)[dataset.held_out].mean() > 0.8
    assert all(
        weights.dtype == np.float32
        for weights in trained.train.state.values()
        if np.issubdtype(weights.dtype, np.floating)
    )


def dtypes_inside(classifier: LatentClassifier, images: torch.Tensor) -> set:
    """Return the types that the convolutions give."""
    seen = set()
    for module in classifier.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    classifier(images)
    return seen
