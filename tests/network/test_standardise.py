from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_spaceediting.network.classifier import (
    LatentClassifier,
    classifier_from,
    state_of,
)
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.network.standardise import feature_sample, standardised

SPEC = ClassifierSpec(latent_dim=8, n_classes=3, image_size=(12, 12))
CPU = torch.device("cpu")

KINDS = "ordinary", "of many scales", "constant", "some dead", "all dead", "one image"


@pytest.fixture
def classifier() -> LatentClassifier:
    return classifier_from(SPEC, seed=1)


def features_of(kind: str, n_features: int) -> Tensor:
    """Return features such as networks give, (n, F)."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(50, n_features, generator=generator)
    if kind == "of many scales":
        features *= 10 ** torch.linspace(-3, 3, n_features)
    elif kind == "constant":
        features = torch.full_like(features, 3.5)
    elif kind == "some dead":
        features[:, ::3] = 0
    elif kind == "all dead":
        features = torch.zeros_like(features)
    elif kind == "one image":
        features = features[:1]
    return features


def outputs(classifier: LatentClassifier, features: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat(classifier.classify(features), dim=1)


def assert_close(one: Tensor, other: Tensor) -> None:
    scale = max(float(one.abs().max()), 1e-3)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_network_computes_stays_the_same(classifier, kind):
    features = features_of(kind, classifier.backbone.n_features)
    before, state = outputs(classifier, features), state_of(classifier)
    with standardised(classifier, features):
        assert_close(before, outputs(classifier, features))
    assert_close(before, outputs(classifier, features))
    after = state_of(classifier)
    assert after.keys() == state.keys()
    for name, values in state.items():
        np.testing.assert_allclose(after[name], values, rtol=1e-4, atol=1e-5)


def test_the_network_comes_back_after_an_exception(classifier):
    features = features_of("ordinary", classifier.backbone.n_features)
    before, names = outputs(classifier, features), set(state_of(classifier))

    def fail() -> None:
        with standardised(classifier, features):
            raise RuntimeError("in the middle of training")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert isinstance(classifier.embedding, nn.Linear)
    assert set(state_of(classifier)) == names
    assert_close(before, outputs(classifier, features))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trainable", ["head", "all"])
def test_what_is_learnt_inside_is_there_afterwards(classifier, kind, trainable):
    features = features_of(kind, classifier.backbone.n_features)
    before, bare = outputs(classifier, features), classifier.embedding
    labels = torch.arange(len(features)) % 3
    with standardised(classifier, features):
        tail = classifier.tail(trainable)
        optimiser = torch.optim.AdamW(tail.parameters(), 0.01)
        for _ in range(20):
            optimiser.zero_grad()
            F.cross_entropy(classifier.classify(features)[1], labels).backward()
            optimiser.step()
        inside = outputs(classifier, features)
    assert classifier.embedding is bare
    assert_close(inside, outputs(classifier, features))
    assert (inside - before).abs().max() > 1e-3, "something was learnt"


def test_the_embedding_sees_features_of_one_scale(classifier):
    features = features_of("of many scales", classifier.backbone.n_features)
    # The least of them count as having a hundredth of the mean deviation.
    scale = features.std(dim=0)
    varied = scale > scale.mean()
    seen = []
    with standardised(classifier, features):
        classifier.embedding.register_forward_pre_hook(
            lambda _, given: seen.append(given[0])
        )
        classifier.classify(features)
    assert varied.sum() > 1
    assert seen[0].mean(dim=0).abs().max() < 1e-3
    np.testing.assert_allclose(seen[0].std(dim=0)[varied], 1, atol=0.03)
    assert seen[0].std(dim=0).max() < 1.02


def test_features_of_small_scale_are_learnt_from_too(classifier):
    # Three small features tell the classes apart; twenty large ones are noise.
    labels = torch.arange(90) % 3

    def images(seed: int) -> Tensor:
        features = torch.zeros(90, classifier.backbone.n_features)
        generator = torch.Generator().manual_seed(seed)
        features[:, :20] = torch.randn(90, 20, generator=generator)
        features[:, 20:23] = 0.05 * F.one_hot(labels, 3)
        return features

    features = images(0)
    with standardised(classifier, features):
        tail = classifier.tail("head")
        optimiser = torch.optim.Adam(tail.parameters(), 1e-2)
        for _ in range(60):
            optimiser.zero_grad()
            F.cross_entropy(tail(features)[1], labels).backward()
            optimiser.step()
    with torch.inference_mode():
        named = classifier.classify(images(1))[1].argmax(dim=1)
    # Without it, hardly more than the third that chance gets.
    assert (named == labels).float().mean() > 0.75


@pytest.mark.parametrize("trainable", ["head", "last_block", "all"])
def test_the_sample_has_the_features_of_the_images(classifier, trainable):
    images = torch.rand(40, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    rows = np.arange(1, 40, 2)
    with torch.inference_mode():
        body = classifier.body(trainable)
        inputs = body(images).numpy()
        expected = classifier.backbone(images[1::2])
    found = feature_sample(classifier, inputs.__getitem__, trainable, rows, CPU)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad


@pytest.mark.parametrize("n", [1, 256, 257, 2048, 2049, 4095, 10_000])
def test_the_sample_is_of_images_from_everywhere_and_no_more_than_it_needs(
    classifier, n
):
    rows = np.arange(n) + 7
    read: list[int] = []

    def fetch(indices: np.ndarray) -> np.ndarray:
        read.extend(indices.tolist())
        return np.zeros((len(indices), classifier.backbone.n_features), np.float32)

    found = feature_sample(classifier, fetch, "head", rows, CPU)
    assert len(found) == len(read) <= 2048
    assert len(read) >= min(n, 1000)
    assert set(read) <= set(rows)
    edges = np.diff([rows[0] - 1, *read, rows[-1] + 1])
    assert edges.max() <= 2 * edges[1:-1].min(initial=n), "no part is left out"
