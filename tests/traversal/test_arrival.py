from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.spec import ClassifierSpec
from napari_spaceediting.traversal.arrival import Arrival, Looks, look_at, read_looks

CPU = torch.device("cpu")


def looks(n: int, at: float, likely: float, seed: int = 0) -> Looks:
    """Return n images around a place, seen as the second of two classes."""
    rng = np.random.default_rng(seed)
    return Looks(
        latents=rng.normal(at, 1, (n, 4)).astype(np.float32),
        probabilities=np.tile(np.float32([1 - likely, likely]), (n, 1)),
        pixels=rng.normal(at, 1, (n, 9)).astype(np.float32),
    )


@pytest.fixture
def arrival() -> Arrival:
    return Arrival(looks(60, 10, 0.9), looks(80, 0, 0.1), 0.85)


def test_real_images_of_the_target_have_arrived_and_others_have_not(arrival):
    assert arrival.of(looks(50, 10, 0.9, seed=1)).mean() > 0.5
    assert not arrival.of(looks(50, 0, 0.1, seed=1)).any()


@pytest.mark.parametrize("sign", ["probabilities", "pixels", "latents"])
def test_all_three_signs_are_needed(arrival, sign):
    there, elsewhere = looks(50, 10, 0.9, seed=1), looks(50, 0, 0.1, seed=1)
    assert not arrival.of(there._replace(**{sign: getattr(elsewhere, sign)})).any()


def test_a_network_that_is_unsure_of_real_images_need_not_be_sure_of_others():
    def arrived(sure: float) -> float:
        tried = looks(50, 10, 0.6, seed=1)
        rule = Arrival(looks(60, 10, sure), looks(80, 0, 0.1), 0.95)
        return float(rule.of(tried).mean())

    assert arrived(0.55) > 0.5
    assert arrived(0.95) == 0


def test_a_lower_share_is_stricter():
    target, others, tried = looks(60, 10, 0.9), looks(80, 0, 0.1), looks(50, 10, 0.9, 1)
    lax, strict = (Arrival(target, others, share).of(tried) for share in (0.95, 0.3))
    assert strict.sum() < lax.sum()
    assert lax[strict].all()


def test_it_works_without_classes_and_with_few_images():
    def without(some: Looks) -> Looks:
        return some._replace(probabilities=some.probabilities[:, :0])

    arrival = Arrival(without(looks(3, 10, 1)), without(looks(3, 0, 1)), 0.85)
    assert arrival.of(without(looks(5, 0, 1, seed=1))).tolist() == [False] * 5


def test_images_are_looked_at_in_small_and_in_batches(small_digits):
    spec = ClassifierSpec(in_channels=3, image_size=(50, 20), n_classes=2)
    classifier = classifier_from(spec)
    images = np.random.default_rng(0).random((5, 3, 50, 20), np.float32)
    seen = look_at(classifier, images, CPU, batch_size=2)
    assert seen.pixels.shape == (5, 3 * 32 * 20)
    assert seen.latents.shape == (5, spec.latent_dim)
    np.testing.assert_allclose(seen.probabilities.sum(axis=1), 1, atol=1e-5)

    classifier = classifier_from(ClassifierSpec(n_classes=10))
    rows = np.array([4, 1, 7])

    class Reading:
        name = "read"

        def run(self):
            return read_looks(classifier, small_digits, rows, CPU, 2)

    seen_by = []
    read = run_job(Reading(), seen_by.append)
    whole = look_at(classifier, small_digits.images(rows), CPU)
    np.testing.assert_allclose(read.latents, whole.latents, atol=1e-5)
    np.testing.assert_array_equal(read.pixels, whole.pixels)
    assert [progress.done for progress in seen_by] == [2, 3]
