from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.network.backbones import Backbone
from napari_spaceediting.network.classifier import (
    classifier_from,
    load_state,
    state_of,
)
from napari_spaceediting.network.kernel_ridge import roots
from napari_spaceediting.network.spec import ClassifierSpec

SPEC = ClassifierSpec(latent_dim=8, n_classes=3)


def test_same_seed_same_weights_and_global_generator_untouched() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = (state_of(classifier_from(SPEC, seed=s)) for s in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["head.weight"], other["head.weight"])


def test_state_round_trip_copies() -> None:
    state = state_of(classifier_from(SPEC, seed=1))
    before = {name: value.copy() for name, value in state.items()}
    classifier = classifier_from(SPEC, state)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.add_(1)
    assert all(np.array_equal(state[name], before[name]) for name in state)
    assert set(state_of(classifier)) == set(state)


@torch.inference_mode()
def test_head_grows_and_keeps_what_it_knows() -> None:
    small = classifier_from(SPEC, seed=1)
    grown = classifier_from(replace(SPEC, n_classes=5), state_of(small), seed=2)
    images = torch.rand(4, 1, 28, 28)
    latents, logits = small(images)
    more_latents, more_logits = grown(images)
    assert grown.spec.n_classes == 5
    assert torch.equal(latents, more_latents)
    torch.testing.assert_close(logits, more_logits[:, :3])
    assert more_logits.shape == (4, 5)
    assert not torch.equal(more_logits[:, 3], more_logits[:, 4])


def test_head_does_not_shrink() -> None:
    with pytest.raises(SpaceEditingError, match=r"do not fit.*head\.bias"):
        classifier_from(replace(SPEC, n_classes=2), state_of(classifier_from(SPEC)))


@pytest.mark.filterwarnings("error")
def test_no_classes_yet_then_some() -> None:
    none = classifier_from(replace(SPEC, n_classes=0))
    latents, logits = none(torch.rand(2, 1, 28, 28))
    assert latents.shape == (2, 8)
    assert logits.shape == (2, 0)
    none.grow_head(2)
    assert none(torch.rand(2, 1, 28, 28))[1].shape == (2, 2)
    again = classifier_from(SPEC, state_of(classifier_from(replace(SPEC, n_classes=0))))
    assert again(torch.rand(2, 1, 28, 28))[1].shape == (2, 3)


def test_state_of_another_network_is_refused() -> None:
    with pytest.raises(SpaceEditingError, match=r"do not fit.*of another shape"):
        classifier_from(replace(SPEC, latent_dim=9), state_of(classifier_from(SPEC)))
    with pytest.raises(SpaceEditingError, match="missing"):
        load_state(classifier_from(SPEC), {})


def test_saved_state_needs_no_file_of_weights() -> None:
    gone = replace(SPEC, weights="/nowhere/weights.pth")
    assert classifier_from(gone, state_of(classifier_from(SPEC))).spec == gone


def test_training_the_tail_trains_the_network_and_nothing_else() -> None:
    classifier = classifier_from(SPEC)
    before = state_of(classifier)
    inner = classifier.body("last_block")(torch.rand(4, 1, 28, 28))
    tail = classifier.tail("last_block")
    optimiser = torch.optim.SGD(tail.parameters(), 0.1)
    tail(inner)[1].square().sum().backward()
    optimiser.step()
    after = state_of(classifier)
    changed = {n for n in before if not np.array_equal(before[n], after[n])}
    assert "head.weight" in changed
    assert any(name.startswith("backbone.last_block") for name in changed)
    assert not any(name.startswith("backbone.trunk") for name in changed)


@torch.inference_mode()
def test_an_image_and_its_mirror_image_are_the_same_to_it() -> None:
    plain = classifier_from(SPEC, seed=1)
    mirrored = classifier_from(replace(SPEC, mirror=True), state_of(plain))
    assert set(state_of(mirrored)) == set(state_of(plain))
    images = torch.rand(4, 1, 28, 28)
    both = plain.features(images), plain.features(images.flip(-1))
    torch.testing.assert_close(mirrored.features(images), (both[0] + both[1]) / 2)
    torch.testing.assert_close(mirrored(images), mirrored(images.flip(-1)))
    assert not torch.allclose(*both)


@torch.inference_mode()
def test_with_its_layout_it_tells_where_things_are() -> None:
    plain, n = classifier_from(SPEC, seed=1), 512
    laid_out = classifier_from(replace(SPEC, layout=True), seed=1)
    assert set(state_of(laid_out)) == set(state_of(plain))
    images = torch.rand(4, 1, 28, 28)
    found = laid_out.features(images)
    assert found.shape == (4, n + 16 * 32)
    torch.testing.assert_close(found[:, :n], plain.features(images))
    shares = roots(found).square().split([n, 16 * 32], dim=1)
    torch.testing.assert_close(*(one.sum(1) for one in shares), atol=1e-2, rtol=0)
    maps = plain.backbone.trunk(images)
    expected = torch.nn.functional.adaptive_avg_pool2d(maps, 4).flatten(1)
    cosine = torch.cosine_similarity(found[:, n:], expected)
    torch.testing.assert_close(cosine, torch.ones(4))


def test_tokens_have_no_layout() -> None:
    backbone = Backbone(torch.nn.Flatten(2), torch.nn.Linear(784, 5), 5)
    backbone.add_layout((1, 784))
    assert (backbone.layout, backbone.n_features) == (None, 5)


@pytest.mark.parametrize("trainable", ["head", "last_block", "all"])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("layout", [False, True])
@torch.inference_mode()
def test_its_two_parts_together_are_the_network(trainable, mirror, layout) -> None:
    spec = replace(SPEC, mirror=mirror, layout=layout)
    classifier = classifier_from(spec, seed=1)
    images = torch.rand(4, 1, 28, 28)
    inputs = classifier.body(trainable)(images)
    found = classifier.tail(trainable)(inputs)
    torch.testing.assert_close(found, classifier(images))
