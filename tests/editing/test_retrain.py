from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.data.dataset import Split
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.editing.arms import comparisons
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.editing.settings import (
    RetrainSettings,
    Weights,
    weights_for,
)
from napari_spaceediting.errors import EditError, SpaceEditingError, TrainingFailed
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.spec import TrainSettings
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session


def unlabelled(session: Session, n: int) -> np.ndarray:
    dataset = session.dataset
    return np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)[:n]


def truthful_pins(session: Session, n: int = 30) -> list[Pin]:
    truth, names = session.dataset.columns["truth"], session.dataset.class_names
    at = unlabelled(session, n)
    return [Pin(at[truth[at] == c], names[c]) for c in np.unique(truth[at])]


def unlabelled_images(job: Retrain) -> np.ndarray:
    dataset = job.dataset
    return np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)


@pytest.fixture
def job(trained_session: Session) -> Retrain:
    """Return a round by descent; for those that are solved see `test_learning`."""
    trained_session.replay(truthful_pins(trained_session))
    return with_settings(trained_session.retraining().retrain, recipe="descent")


def with_settings(job: Retrain, **changes: Any) -> Retrain:
    return replace(job, settings=replace(job.settings, **changes))


def with_all_labels(job: Retrain, wrong: np.ndarray) -> Retrain:
    """Return the round with labels of all images, some of them wrong."""
    truth = job.dataset.columns["truth"]
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + 1) % 10
    after = labels.copy()
    after[job.anchors.indices] = job.labels[job.anchors.indices]
    return replace(job, dataset=job.dataset.with_labels(labels), labels=after)


def assert_equal_weights(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        assert_array_equal(values, other[name], err_msg=name)


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {name for name in one if not np.array_equal(one[name], other[name])}


def test_the_result_is_whole(job):
    result = run_job(job)
    n, c = len(job.dataset), len(job.class_names)
    assert result.predictions.latents.shape == (n, job.spec.latent_dim)
    assert result.predictions.probabilities.shape == (n, c)
    assert_allclose(result.predictions.probabilities.sum(axis=1), 1, atol=1e-5)
    assert result.losses.shape == (job.settings.steps,)
    assert set(result.evidence.arms) == {"before", "after", "control"}
    measured = (job.dataset.split == Split.TEST) & (job.labels >= 0)
    assert result.evidence.n_images == measured.sum()
    assert_array_equal(result.evidence.edited, job.anchors.indices)
    assert result.settings == job.settings
    assert differ(job.state, result.state) == {
        "embedding.weight", "embedding.bias", "head.weight", "head.bias",
    }  # fmt: skip


def test_the_same_seed_gives_the_same_weights(job):
    one, other = run_job(job), run_job(job)
    assert_equal_weights(one.state, other.state)
    assert_array_equal(one.losses, other.losses)
    another = run_job(replace(job, settings=replace(job.settings, seed=1)))
    assert differ(one.state, another.state)


def test_the_random_numbers_of_the_caller_are_left_alone(job):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    run_job(job)
    assert torch.equal(torch.rand(3), expected)


def test_the_control_does_not_know_of_the_edits(trained_state):
    def control(*edits) -> Any:
        session = Session(trained_state)
        session.replay(edits)
        result = run_job(session.retraining().retrain)
        return result.evidence.arms["control"].confusion

    at = unlabelled(Session(trained_state), 120)
    one = control(Pin(at[:5], "3"))
    other = control(Pin(at, "8"), Relabel(at[:10], "a new class"))
    assert_array_equal(one, other[:10, :10])
    assert other.sum() == one.sum()


def test_more_labels_by_edits_do_not_change_how_an_arm_is_trained(job, monkeypatch):
    # Edits may bring the share of labelled images over one half, but the control
    # must differ in nothing but the edits.
    from napari_spaceediting.editing import fine_tune

    shares = []

    def watch(settings: RetrainSettings, labelled_share: float) -> Weights:
        shares.append(labelled_share)
        return weights_for(settings, labelled_share)

    monkeypatch.setattr(fine_tune, "weights_for", watch)
    run_job(replace(job, settings=replace(job.settings, steps=1)))
    assert len(shares) == 2
    assert shares[0] == shares[1]


def test_without_control_there_is_none(job):
    result = run_job(replace(job, settings=replace(job.settings, arms=())))
    assert set(result.evidence.arms) == {"before", "after"}
    assert result.evidence.over.keys() == {"before"}


def test_a_new_class_grows_the_head_and_is_learnt(trained_session):
    at = unlabelled(trained_session, 40)
    trained_session.set_retrain_settings(
        replace(trained_session.state.retrain, steps=60, arms=(), averaging=0.5)
    )
    trained_session.apply(Pin(at, "scribble"))
    job = trained_session.retraining().retrain
    result = run_job(job)
    assert result.spec.n_classes == 11
    assert result.state["head.weight"].shape[0] == 11
    assert result.evidence.class_names[-1] == "scribble"
    assert np.isnan(result.evidence.arms["after"].recall[-1])
    taught = result.predictions.probabilities[at, 10].mean()
    assert taught > 0.2, "ten times what it is by chance"


def test_edits_draw_images_to_their_anchors(trained_session):
    at = unlabelled(trained_session, 8)
    places = trained_session.edits.positions
    target = trained_session.surroundings.at(places).support.argmax()
    end = np.tile(places[target], (len(at), 1))
    trained_session.apply(Move(at, places[at], end, Intent.BELONGS, None))
    settings = trained_session.state.retrain
    settings = replace(settings, steps=60, arms=(), averaging=0.5, recipe="descent")
    job = replace(
        trained_session.retraining().retrain,
        settings=replace(settings, anchor_weight=5.0),
    )
    assert (job.anchors.weights > 0.3).all()
    anchors = job.anchors.among(job.predictions.latents)

    def distance(latents):
        return np.linalg.norm(latents[at] - anchors, axis=1).mean()

    without = replace(job, settings=replace(settings, anchor_weight=0.0))
    assert distance(run_job(job).predictions.latents) < 0.8 * distance(
        run_job(without).predictions.latents
    )


@pytest.mark.parametrize("where", ["one place", "two images"])
def test_an_arrangement_that_says_nothing_is_no_trouble(trained_session, where):
    at = unlabelled(trained_session, 2 if where == "two images" else 5)
    start = trained_session.edits.positions[at]
    end = start if where == "two images" else np.zeros_like(start)
    trained_session.apply(Move(at, start, end, Intent.ARRANGE, None))
    with pytest.raises(EditError, match="only arranged teach no class"):
        trained_session.retraining()
    trained_session.apply(Relabel(unlabelled(trained_session, 6)[-1:], "3"))
    assert np.isfinite(run_job(trained_session.retraining().retrain).losses).all()


@pytest.mark.parametrize("trainable", ["last_block", "all"])
def test_more_of_the_network_can_be_trained(job, trainable):
    settings = replace(job.settings, trainable=trainable, steps=3, arms=())
    job = replace(job, settings=settings)
    result = run_job(job)
    changed = differ(job.state, result.state)
    assert any(name.startswith("backbone.last_block") for name in changed)
    assert any(name.startswith("backbone.trunk") for name in changed) == (
        trainable == "all"
    )
    # What is reported is what the weights say.
    from napari_spaceediting.network.jobs import ExtractPredictions

    again = run_job(ExtractPredictions(job.dataset, result.spec, result.state, "cpu"))
    assert_allclose(again.latents, result.predictions.latents, atol=1e-4)


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_held_out_images_never_train(job, trainable):
    settings = replace(job.settings, trainable=trainable, steps=4)
    job = replace(job, settings=settings)
    dataset, held_out = job.dataset, job.dataset.held_out
    pixels = np.stack([dataset.original(at) for at in range(len(dataset))])
    pixels[held_out] = 16 - pixels[held_out]
    labels = job.labels.copy()
    labels[held_out] = (labels[held_out] + 1) % 10
    other_dataset = replace(dataset, pixels=ArrayPixels(pixels)).with_labels(
        np.where(held_out, labels, dataset.labels)
    )
    latents = job.predictions.latents.copy()
    latents[held_out] *= 3
    other = replace(
        job,
        dataset=other_dataset,
        labels=labels,
        predictions=replace(job.predictions, latents=latents),
    )
    one, two = run_job(job), run_job(other)
    assert_equal_weights(one.state, two.state)
    assert_array_equal(one.losses, two.losses)
    assert one.evidence.arms["after"].accuracy != two.evidence.arms["after"].accuracy, (
        "but they are what is measured"
    )


def test_a_loss_that_is_no_number_fails_and_changes_nothing(job):
    before = pickle.dumps(job)
    wild = replace(job, settings=replace(job.settings, learning_rate=1e30))
    with pytest.raises(TrainingFailed, match="learning rate") as caught:
        run_job(wild)
    assert "\n" not in str(caught.value)
    assert pickle.dumps(job) == before


@pytest.mark.parametrize("steps", [1, 5, 30, 100])
@pytest.mark.parametrize("labels", ["few", "many"])
def test_cancelling_changes_nothing(job, steps, labels):
    import torch

    job = with_settings(job, arms=("control", "automatic"), repeats=2)
    if labels == "many":  # which are judged first
        job = with_all_labels(job, unlabelled_images(job)[-20:])
    before, generator = pickle.dumps(job), torch.random.get_rng_state()
    running = job.run()
    for _ in range(steps):
        next(running)
    running.close()
    assert pickle.dumps(job) == before
    assert torch.equal(torch.random.get_rng_state(), generator)
    # And a training that is begun anew comes out as if nothing had been.
    assert np.isfinite(run_job(job).losses).all()


def test_a_place_that_is_no_number_fails_in_words(job):
    nowhere = np.full_like(job.anchors.speaking, np.nan)
    job = replace(job, anchors=replace(job.anchors, speaking=nowhere))
    with pytest.raises(TrainingFailed, match="odd images among the edited"):
        run_job(job)


def test_progress_goes_to_the_end_and_shows_the_loss(job):
    seen = []
    run_job(job, seen.append)
    steps = [p for p in seen if p.message.startswith("Training")]
    assert [p.done for p in steps] == list(range(1, 2 * job.settings.steps + 1))
    assert {p.total for p in steps} == {2 * job.settings.steps}
    assert {p.message for p in steps} == {
        "Training with edits", "Training without edits",
    }  # fmt: skip
    assert all("loss" in p.metrics for p in steps if "with edits" in p.message)


@pytest.mark.parametrize("cached", [True, False])
def test_progress_of_all_arms_and_repetitions_is_one_count(job, cached):
    job = with_settings(job, arms=comparisons(), repeats=2, steps=3)
    job = with_all_labels(job, unlabelled_images(job)[-20:])
    if not cached:
        job = replace(job)
    seen = []
    run_job(job, seen.append)
    assert all(0 <= p.done <= p.total for p in seen)
    steps = [p for p in seen if p.message.startswith("Training")]
    trainings = 2 * len(comparisons())  # one of them is logistic regression
    assert steps.pop().message == "Training logistic regression"
    assert [p.done for p in steps] == list(range(1, 3 * trainings + 1))
    assert {p.total for p in steps} == {3 * trainings}
    assert 1 + len({p.message for p in steps}) == 1 + len(comparisons())
    # The curve that is shown is of the network that is taken.
    assert sum("loss" in p.metrics for p in steps) == 3


def test_without_any_class_there_is_nothing_to_train(job):
    nothing = np.full(len(job.labels), -1)
    with pytest.raises(TrainingFailed, match="name at least one group"):
        run_job(replace(job, labels=nothing, dataset=job.dataset.with_labels(nothing)))


def test_a_state_of_another_network_is_refused(job):
    with pytest.raises(SpaceEditingError, match="do not fit"):
        run_job(replace(job, spec=replace(job.spec, latent_dim=7)))


def test_classes_can_be_named_from_scratch(small_digits):
    bare = small_digits.subset(np.arange(120))
    truth = bare.columns["truth"]
    bare = bare.with_labels(np.full(120, -1), ())
    session = new_session(
        bare,
        train=TrainSettings(epochs=1, device="cpu"),
        map_settings=MapSettings(method="pca"),
        retrain=RetrainSettings(steps=40, batch_size=32, device="cpu", averaging=0.5),
    )
    session.take_network(run_job(session.training()))
    assert session.shown.network.predictions.probabilities.shape == (120, 0)
    training = ~bare.held_out
    for value, name in ((0, "zero"), (1, "one")):
        session.apply(Pin(np.flatnonzero(training & (truth == value)), name))
    held_out = np.flatnonzero(bare.held_out & (truth < 2))
    session.apply(Relabel(held_out[truth[held_out] == 0], "zero"))
    session.apply(Relabel(held_out[truth[held_out] == 1], "one"))
    mapped = run_job(session.retraining())
    result = mapped.result
    assert result.spec.n_classes == 2
    # No labels: nothing to control with, and nothing to compare with before.
    assert set(result.evidence.arms) == {"after"}
    assert result.evidence.arms["after"].accuracy > 0.7
    session.propose(mapped)
    session.accept()
    assert session.shown.class_names == ("zero", "one")


def test_repetitions_leave_the_first_network_as_it_is_alone(job):
    job = with_settings(job, steps=8, arms=("control", "placebo"))
    once, thrice = run_job(job), run_job(with_settings(job, repeats=3))
    assert_equal_weights(once.state, thrice.state)
    assert_array_equal(once.losses, thrice.losses)
    assert_array_equal(once.predictions.latents, thrice.predictions.latents)
    one, other = once.evidence, thrice.evidence
    for arm in one.arms:
        assert_array_equal(one.arms[arm].confusion, other.arms[arm].confusion)
    assert (one.seeds, other.seeds) == (1, 3)
    assert other.over.keys() == {"before", "control", "placebo"}


def test_repetitions_are_the_rounds_of_the_seeds_that_follow(job):
    job = with_settings(job, steps=8, seed=4)
    repeated = run_job(with_settings(job, repeats=3)).evidence
    alone = [run_job(with_settings(job, seed=seed)).evidence for seed in (4, 5, 6)]
    for arm in "before", "control":
        gains = [evidence.over[arm].value for evidence in alone]
        gain = repeated.over[arm]
        assert gain.value == pytest.approx(np.mean(gains))
        assert gain.high - gain.low > 2 * 1.959 * np.std(gains, ddof=1) / 3**0.5


def test_the_network_taken_does_not_depend_on_what_is_trained_beside_it(job):
    job = with_settings(job, steps=8)
    alone = run_job(with_settings(job, arms=()))
    beside = run_job(with_settings(job, arms=comparisons()))
    assert beside.evidence.arms.keys() == {"before", "after", *comparisons()}
    assert_equal_weights(alone.state, beside.state)
    assert_array_equal(alone.losses, beside.losses)
    assert_array_equal(
        alone.evidence.arms["after"].confusion, beside.evidence.arms["after"].confusion
    )


def test_the_ceiling_does_best_where_there_is_much_to_gain(job):
    job = with_settings(job, steps=80, arms=("control", "ceiling"), averaging=0.9)
    arms = run_job(job).evidence.arms
    assert arms["ceiling"].accuracy > arms["control"].accuracy


def expected_of(job: Retrain) -> np.ndarray:
    from napari_spaceediting.editing.learning import left_out_classes

    return finish(left_out_classes(job))


def test_labels_are_judged_by_others_alone(job):
    at = unlabelled_images(job)
    job = with_all_labels(job, at[:0])
    image = at[-1]
    labels = job.dataset.labels.copy()
    labels[image] = (labels[image] + 3) % 10
    other = replace(job, dataset=job.dataset.with_labels(labels))
    one, two = expected_of(job), expected_of(other)
    # The ridge is chosen by all of them.
    assert_allclose(one[image], two[image], atol=0.05)
    assert (one != two).any(), "but the others are judged by it"
    training = ~job.dataset.held_out
    assert_allclose(one[training].sum(axis=1), 1, atol=1e-5)
    assert not one[~training].any()


def test_wrong_labels_among_many_are_found(job):
    wrong = unlabelled_images(job)[-20:]
    job = with_all_labels(job, wrong)
    truth = job.dataset.columns["truth"]
    expected = expected_of(job)
    assert (expected[wrong].argmax(axis=1) == truth[wrong]).mean() > 0.6
    given = job.dataset.labels[wrong]
    assert (expected[wrong].argmax(axis=1) == given).mean() < 0.3


def mixed(alpha: float) -> tuple[Any, Any, Any]:
    """Return targets, and images and beliefs mixed of them in an order of one's own."""
    from napari_spaceediting.editing.fine_tune import _mixed
    from napari_spaceediting.editing.targets import Targets

    rng = np.random.default_rng(0)
    classes = rng.dirichlet(np.ones(3), 6).astype(np.float32)
    targets = Targets(np.arange(10, 16), classes, np.ones(6, np.float32))

    def fetch(indices: np.ndarray) -> np.ndarray:
        # Every image shows what it is believed to be.
        return classes[indices - 10]

    rows = np.array([5, 0, 3, 3, 1])
    return targets, rows, _mixed(fetch, targets, rows, alpha, rng)


def test_images_and_what_they_are_believed_to_be_are_mixed_alike():
    targets, rows, (images, classes) = mixed(1.0)
    assert_allclose(images, classes, atol=1e-6)
    assert_allclose(classes.sum(axis=1), 1, atol=1e-6)
    assert (np.abs(classes - targets.classes[rows]) > 1e-3).any()
    assert_allclose(classes.sum(axis=0), targets.classes[rows].sum(axis=0), atol=1e-5)
    assert images.dtype == classes.dtype == np.float32


def test_without_mixing_images_are_as_they_are():
    targets, rows, (images, classes) = mixed(0.0)
    assert_array_equal(classes, targets.classes[rows])
    assert_array_equal(images, targets.classes[rows])


def test_weights_left_open_follow_the_share_of_labels():
    few, many = (weights_for(RetrainSettings(), share) for share in (0.1, 0.9))
    assert few != many
    chosen = weights_for(RetrainSettings(keep_weight=0.0, averaging=0.5), 0.1)
    assert chosen == replace(few, keep=0.0, averaging=0.5)


@pytest.mark.parametrize(
    ("trainable", "rate"), [("head", 3e-3), ("last_block", 1e-3), ("all", 1e-3)]
)
def test_the_learning_rate_follows_what_trains(trainable, rate):
    for share in 0.1, 0.9:
        settings = RetrainSettings(trainable=trainable)
        assert weights_for(settings, share).learning_rate == rate
        chosen = replace(settings, learning_rate=0.5)
        assert weights_for(chosen, share).learning_rate == 0.5


def test_an_unknown_comparison_is_named_with_those_that_exist():
    with pytest.raises(TrainingFailed, match="'magic': choose among control, ") as told:
        RetrainSettings(arms=("control", "magic"))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("repeats", [0, -1])
def test_a_round_is_trained_at_least_once(repeats):
    with pytest.raises(TrainingFailed, match=f"over {repeats} seeds: choose 1"):
        RetrainSettings(repeats=repeats)
