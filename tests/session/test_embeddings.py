"""A session on embeddings that others have computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.texts import TextPixels
from napari_spaceediting.editing.image_edits import Relabel
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import DataError, SpaceEditingError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.network.jobs import ExtractActivations, TrainNetwork
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.session import new_session


def result_of(steps):
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


@pytest.fixture(scope="module")
def given(small_digits):
    """The digits with what a network makes of them, with and without the images."""
    spec = ClassifierSpec(image_size=small_digits.image_size)
    features = result_of(activations(classifier_from(spec), small_digits, device="cpu"))
    with_images = replace(small_digits, features=np.array(features))
    texts = TextPixels(tuple(small_digits.ids.tolist()))
    return with_images, replace(with_images, pixels=texts, image_size=(128, 128))


def retrained(dataset, spec=None):
    session = new_session(dataset)
    session.set_train_settings(TrainSettings(trainable="head", device="cpu"))
    session.set_retrain_settings(RetrainSettings(device="cpu"))
    session.take_network(run_job(session.training(spec)))
    session.set_map_settings(replace(session.state.map, method="pca"))
    session.take_map(run_job(session.mapping()))
    candidates = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)[:30]
    session.apply(Relabel(candidates, dataset.class_names[3]))
    session.propose(run_job(session.retraining()))
    return session


@pytest.mark.parametrize("with_images", [True, False])
def test_embeddings_teach_what_the_network_itself_would(
    small_digits, given, with_images
):
    own = retrained(small_digits, ClassifierSpec())
    session = retrained(given[not with_images])
    one, other = (each.state.rounds[-1] for each in (own, session))
    assert one.evidence.over == other.evidence.over
    assert_allclose(
        one.after.network.predictions.probabilities,
        other.after.network.predictions.probabilities,
        atol=1e-6,
    )
    assert_allclose(one.after.map.coordinates, other.after.map.coordinates, atol=1e-5)
    assert session.shown.network.spec.backbone == "embeddings"


def test_a_session_keeps_its_embeddings(tmp_path, given):
    session = retrained(given[1])
    path = tmp_path / "points.spaceediting"
    with SessionFolder.new(path, program="test") as folder:
        folder.save(session.state)
    with SessionFolder.open(path, program="test") as folder:
        state = folder.load(pytest.fail)
    assert_array_equal(state.dataset.features, given[1].features)
    assert not state.dataset.has_images
    assert_array_equal(state.dataset.thumbnails([4]), given[1].thumbnails([4]))


def test_what_needs_images_says_so(given):
    with_images, without = given
    session = retrained(without)
    session.accept()
    images = np.flatnonzero(~without.held_out)[:2]
    with pytest.raises(SpaceEditingError, match="sees embeddings and no images"):
        session.traversing(images, "1")
    for trainable in ("last_block", "all"):
        session.set_train_settings(TrainSettings(trainable=trainable))
        with pytest.raises(SpaceEditingError, match="only its head can train"):
            session.training()
    session.set_train_settings(TrainSettings(trainable="head", device="cpu"))
    with pytest.raises(SpaceEditingError, match="no mirror image"):
        session.training(ClassifierSpec("embeddings", mirror=True))
    # Another network sees the images, where there are some.
    with pytest.raises(DataError, match="no images for this backbone"):
        run_job(session.training(ClassifierSpec()))
    other = new_session(with_images)
    other.set_train_settings(TrainSettings(trainable="head", device="cpu"))
    assert run_job(other.training(ClassifierSpec())).predictions is not None
    session.apply(Relabel(images, "1"))
    session.set_retrain_settings(RetrainSettings(trainable="last_block"))
    with pytest.raises(SpaceEditingError, match="only its head can train"):
        session.retraining()


def test_without_labels_the_latents_are_the_embeddings(given):
    dataset = given[1].with_labels(np.full(len(given[1]), -1))
    spec = ClassifierSpec("embeddings", image_size=(1, dataset.features.shape[1]))
    trained = run_job(TrainNetwork(dataset, spec, TrainSettings(device="cpu")))
    assert "the latents are embeddings" in trained.notes[0]
    assert trained.predictions.latents.any()


def test_nothing_has_to_be_extracted(given):
    spec = ClassifierSpec("embeddings", image_size=(1, given[0].features.shape[1]))
    found = run_job(ExtractActivations(given[0], spec, None, "cpu"))
    assert (found.shape, found.n_computed) == (given[0].features.shape, 0)
    wrong = replace(spec, image_size=(1, 7))
    with pytest.raises(DataError, match="embeddings of 7 numbers"):
        run_job(ExtractActivations(given[0], wrong, None, "cpu"))


def test_a_data_set_without_embeddings_has_none_to_learn_from(small_digits):
    with pytest.raises(SpaceEditingError, match="came without embeddings"):
        new_session(small_digits).training(ClassifierSpec("embeddings"))
