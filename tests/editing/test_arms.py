from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.editing.arms import (
    ARMS,
    Arm,
    Lesson,
    Teacher,
    comparisons,
    lessons,
    needs_expected,
)
from napari_spaceediting.editing.edits import Edit
from napari_spaceediting.editing.image_edits import Intent, Move, Pin, Relabel
from napari_spaceediting.editing.retrain import Retrain
from napari_spaceediting.editing.targets import Targets, known
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session


def free_images(session: Session) -> np.ndarray:
    """Return training images that have no class."""
    dataset = session.dataset
    return np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)


def some_edits(session: Session) -> list[Edit]:
    """Return edits of all kinds; the last two leave images without a class."""
    at, places = free_images(session), session.edits.positions
    return [
        Pin(at[:10], "3"),
        Move(at[10:20], places[at[10:20]], places[at[:10]], tag="5"),
        Pin(at[20:24], "scribble"),
        Move(at[24:28], places[at[24:28]], places[at[:4]], Intent.ARRANGE),
        Relabel(at[28:30], None),
        Move(at[30:32], places[at[30:32]], places[at[:2]]),
    ]


def job_with(state: SessionState, *edits: Edit, **settings) -> Retrain:
    """Return a retraining in which all arms are wanted."""
    session = Session(state)
    session.replay(edits or some_edits(session))
    chosen = replace(session.state.retrain, **{"arms": comparisons(), **settings})
    session.set_retrain_settings(chosen)
    return session.retraining().retrain


def with_many_labels(job: Retrain, wrong: np.ndarray) -> Retrain:
    """Return the round with labels of all images, some of them wrong.

    The network sees through it.
    """
    truth = job.dataset.columns["truth"]
    labels = truth.copy()
    labels[wrong] = (truth[wrong] + 1) % 10
    edited = job.anchors.indices
    after = labels.copy()
    after[edited] = job.labels[edited]
    return replace(
        job,
        dataset=job.dataset.with_labels(labels),
        labels=after,
        predictions=replace(job.predictions, probabilities=surely(job)),
    )


@pytest.fixture
def job(trained_state: SessionState) -> Retrain:
    return job_with(trained_state)


def trained(job: Retrain, expected=None, seed: int = 0):
    """Return the arms of a round by their name."""
    return lessons(job, job.settings.arms, expected, seed)


def surely(job: Retrain) -> np.ndarray:
    """Return what networks expect that see through all wrong labels."""
    truth = job.dataset.columns["truth"]
    return (0.1 * np.full((len(truth), 10), 0.1) + 0.9 * np.eye(10)[truth]).astype("f4")


def classes_of(targets: Targets) -> dict[int, int]:
    named = targets.classes.argmax(axis=1)
    return dict(zip(targets.indices.tolist(), named.tolist(), strict=True))


def same(one: Targets, other: Targets) -> bool:
    return all(np.array_equal(vars(one)[name], vars(other)[name]) for name in vars(one))


def labelled_training(job: Retrain, labels: np.ndarray) -> np.ndarray:
    return np.flatnonzero((labels >= 0) & ~job.dataset.held_out)


def test_the_arms_come_in_the_order_that_was_asked_for(job):
    found = lessons(job, ("placebo", "control"), None, 0)
    assert list(found) == ["after", "placebo", "control"]
    assert list(lessons(job, (), None, 0)) == ["after"]


def test_what_is_taken_learns_classes_and_places_after_the_edits(job):
    after = trained(job)["after"]
    at = labelled_training(job, job.labels)
    assert_array_equal(after.targets.indices, at)
    assert_array_equal(after.targets.classes.argmax(axis=1), job.labels[at])
    assert after.anchors is job.anchors
    assert after.n_classes == after.targets.classes.shape[1] == 11


def test_the_control_does_not_depend_on_the_edits(trained_state, job):
    other = job_with(trained_state, Pin(free_images(Session(trained_state))[:60], "9"))
    one, two = trained(job)["control"], trained(other)["control"]
    assert same(one.targets, two.targets)
    assert one.anchors is two.anchors is None
    assert one.n_classes == two.n_classes == 10
    at = labelled_training(job, job.dataset.labels)
    assert_array_equal(one.targets.indices, at)
    assert_array_equal(one.targets.classes.argmax(axis=1), job.dataset.labels[at])


def free_images_of(job: Retrain) -> np.ndarray:
    return np.flatnonzero(~job.dataset.held_out & (job.labels < 0))


def test_relabel_is_the_taken_one_without_the_places(job):
    arms = trained(job)
    assert same(arms["relabel"].targets, arms["after"].targets)
    assert arms["relabel"].anchors is None
    assert arms["relabel"].n_classes == arms["after"].n_classes


def test_logistic_regression_learns_the_same_labels(job):
    arms = trained(job)
    assert same(arms["rival"].targets, arms["after"].targets)
    assert arms["rival"].anchors is None


def test_of_one_class_logistic_regression_learns_nothing(job):
    labels = np.where(job.labels == 3, 3, -1)
    assert "rival" not in trained(replace(job, labels=labels))


def rows_of(arm: Lesson, job: Retrain, edited: bool) -> np.ndarray:
    at = np.isin(arm.targets.indices, job.anchors.indices) == edited
    return arm.targets.classes[at]


def test_a_placebo_deals_only_edited_images_out_and_loses_nothing(job):
    arms = trained(job)
    after, placebo = arms["after"], arms["placebo"]
    assert_array_equal(placebo.targets.indices, after.targets.indices)
    assert_array_equal(placebo.targets.weights, after.targets.weights)
    assert_array_equal(
        rows_of(placebo, job, edited=False), rows_of(after, job, edited=False)
    )
    dealt, said = (rows_of(arm, job, edited=True) for arm in (placebo, after))
    assert_array_equal(dealt.sum(axis=0), said.sum(axis=0))
    assert (dealt != said).any()


def test_a_placebo_deals_places_out_too(job):
    anchors = trained(job)["placebo"].anchors
    assert_array_equal(anchors.indices, job.anchors.indices)
    for name in "votes", "weights", "near", "speaking":
        dealt, said = getattr(anchors, name), getattr(job.anchors, name)
        dealt, said = (values.reshape(len(anchors), -1) for values in (dealt, said))
        assert_array_equal(
            dealt[np.lexsort(dealt.T)], said[np.lexsort(said.T)], err_msg=name
        )
    assert (anchors.near != job.anchors.near).any()


def test_a_placebo_goes_by_the_seed(job):
    one, same_seed, other = (trained(job, seed=seed)["placebo"] for seed in (1, 1, 2))
    assert same(one.targets, same_seed.targets)
    assert not same(one.targets, other.targets)


def test_a_single_edit_can_only_be_dealt_to_itself(trained_state):
    at = free_images(Session(trained_state))[:1]
    arms = trained(job_with(trained_state, Pin(at, "3")))
    assert same(arms["placebo"].targets, arms["after"].targets)


def test_the_ceiling_has_the_truth_of_all_training_images(job):
    ceiling = trained(job)["ceiling"]
    assert_array_equal(ceiling.targets.indices, np.flatnonzero(~job.dataset.held_out))
    truth = job.dataset.columns["truth"]
    assert_array_equal(
        ceiling.targets.classes.argmax(axis=1), truth[ceiling.targets.indices]
    )
    assert ceiling.anchors is None
    assert ceiling.n_classes == 11


def test_the_ceiling_leaves_images_of_unknown_truth_out(job):
    truth = job.dataset.columns["truth"].copy()
    truth[::2] = -1
    dataset = replace(job.dataset, columns={"truth": truth})
    found = trained(replace(job, dataset=dataset))["ceiling"].targets.indices
    assert_array_equal(found, np.flatnonzero(~dataset.held_out & (truth >= 0)))


@pytest.mark.parametrize("known", ["no column", "held out only", "other classes"])
def test_where_the_truth_is_not_known_there_is_no_ceiling(job, known):
    dataset = job.dataset
    columns = {
        "no column": {},
        "held out only": {"truth": np.where(dataset.held_out, 1, -1)},
        "other classes": {"truth": np.full(len(dataset), 99)},
    }[known]
    arms = trained(replace(job, dataset=replace(dataset, columns=columns)))
    assert arms.keys() == {"after", *comparisons()} - {"ceiling"}


def test_few_labels_spread_to_images_that_nobody_has_reviewed(job):
    assert not needs_expected(job, job.settings.arms)
    arms = trained(job)
    automatic, control = arms["automatic"].targets, arms["control"].targets
    given = classes_of(automatic)
    assert classes_of(control).items() <= given.items()
    assert len(automatic) > 1.5 * len(control)
    assert not job.dataset.held_out[automatic.indices].any()
    truth = job.dataset.columns["truth"]
    new = np.setdiff1d(automatic.indices, control.indices)
    right = np.mean([given[at] == truth[at] for at in new.tolist()])
    assert right > 0.3, "a tenth by chance"


def test_few_labels_leave_images_confirmed_without_a_class_alone(job):
    given = classes_of(trained(job)["automatic"].targets)
    chosen = [at for at in free_images_of(job).tolist() if at in given][:5]
    confirmed = np.isin(np.arange(len(job.labels)), chosen)
    again = trained(replace(job, confirmed=confirmed))["automatic"].targets
    assert not set(chosen) & set(again.indices.tolist())
    assert len(again) > len(given) - 10


def test_many_labels_are_softened_where_networks_expect_another(job):
    wrong = np.flatnonzero(~job.dataset.held_out)[::9]
    wrong = np.setdiff1d(wrong, job.anchors.indices)
    job = with_many_labels(job, wrong)
    assert needs_expected(job, job.settings.arms)
    arms = trained(job, surely(job))
    targets, truth = arms["automatic"].targets, job.dataset.columns["truth"]
    softened = targets.indices[targets.classes.max(axis=1) < 0.99]
    assert_array_equal(softened, wrong)
    given = classes_of(targets)
    assert all(given[at] == truth[at] for at in wrong.tolist())
    # All else is as the control has it.
    control = classes_of(arms["control"].targets)
    assert given.keys() == control.keys()
    assert {at for at in given if given[at] != control[at]} == set(wrong.tolist())


def test_many_labels_leave_what_was_reviewed_alone(job):
    at = np.flatnonzero(~job.dataset.held_out)[::9]
    wrong = np.union1d(at, job.anchors.indices)
    job = with_many_labels(job, wrong)
    confirmed = np.isin(np.arange(len(job.labels)), wrong[:12])
    job = replace(job, confirmed=confirmed)
    arms = trained(job, surely(job))

    def softened(arm: str) -> set[int]:
        targets = arms[arm].targets
        return set(targets.indices[targets.classes.max(axis=1) < 0.99].tolist())

    assert softened("automatic") == set(wrong[12:].tolist())
    assert softened("after") == softened("control") == set()


@pytest.mark.parametrize(
    ("arms", "needed"), [(("control", "ceiling"), False), (("automatic",), True)]
)
def test_networks_are_asked_only_where_that_is_needed(job, arms, needed):
    assert not needs_expected(job, arms), "few labels"
    many = with_many_labels(job, np.empty(0, int))
    assert needs_expected(many, arms) == needed


def test_where_nothing_had_a_class_there_is_nothing_to_do_without_edits(job):
    bare = job.dataset.with_labels(np.full(len(job.labels), -1), ())
    edited = np.isin(np.arange(len(job.labels)), job.anchors.indices)
    labels = np.where(edited, job.labels, -1)
    arms = trained(replace(job, dataset=bare, labels=labels))
    assert arms.keys() == {"after", "relabel", "rival", "placebo", "ceiling"}


def test_labels_of_held_out_images_alone_are_no_control(job):
    held_out = job.dataset.held_out
    dataset = job.dataset.with_labels(np.where(held_out, job.dataset.labels, -1))
    assert {"control", "automatic"}.isdisjoint(trained(replace(job, dataset=dataset)))


def half_the_edits(teacher: Teacher) -> Lesson:
    """Return what the taken one learns from, but of every second edit."""
    job, after = teacher.material, teacher.after()
    return replace(after, targets=known(job.labels, job.training, after.n_classes))


OWN = Arm(
    title="Half the edits",
    meaning="The same training with every second edit",
    how="with half the edits",
    compared="half of them",
    short="half",
    shows="whether fewer would have done",
    lesson=half_the_edits,
)


def test_a_new_arm_is_an_entry_in_the_table(
    trained_session, monkeypatch, capsys, tmp_path
):
    from napari_spaceediting.commands.main import main

    monkeypatch.setitem(ARMS, "half", OWN)
    session, folder = trained_session, tmp_path / "one.spaceediting"
    session.replay(some_edits(session))
    settings = replace(session.state.retrain, arms=("control", "half"), steps=5)
    session.set_retrain_settings(settings)
    seen = []
    session.propose(run_job(session.retraining(), seen.append))
    assert "Training with half the edits" in {progress.message for progress in seen}
    save_session(session.state, folder)
    past = load_session(folder).proposal
    assert past.settings == settings
    assert past.evidence.arms.keys() == {"before", "after", "control", "half"}
    assert "half of them." in past.evidence.verdict()
    assert main(["evidence", str(folder)]) == 0
    told = capsys.readouterr().out
    assert re.search(r"half +[\d.]+%.* with half the edits\n", told)
    assert re.search(r"half +[+-][\d.]+ +95% interval", told)
    with pytest.raises(SystemExit):
        main(["retrain", "--help"])
    assert "half" in capsys.readouterr().out


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
def test_the_words_for_an_arm_fit_where_they_stand(arm):
    assert len(arm.how) <= 23, "a column of the terminal"
    assert len(arm.short) <= 12, "a chart of the window"
    assert not arm.meaning.endswith(".")
