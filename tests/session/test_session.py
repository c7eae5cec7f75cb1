from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.edits import EditLog, Withdraw
from napari_spaceediting.editing.image_edits import Pin, Relabel, Reset
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import EditError, SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.spec import ClassifierSpec, TrainSettings
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import RoundStatus


def count_signals(session: Session) -> Callable[[], dict[str, int]]:
    """Return a function that says how often each signal came since the last call."""
    counts = {"edits": 0, "shown": 0, "rounds": 0}

    def count(name: str) -> Callable[[], None]:
        def on_signal() -> None:
            counts[name] += 1

        return on_signal

    slots = {name: count(name) for name in counts}
    session.edits_changed.connect(slots["edits"])
    session.shown_changed.connect(slots["shown"])
    session.rounds_changed.connect(slots["rounds"])

    def since() -> dict[str, int]:
        # The slots are kept alive by this reference: psygnal's are weak.
        assert slots
        found = dict(counts)
        counts.update(dict.fromkeys(counts, 0))
        return found

    return since


EDITS_ONLY = {"edits": 1, "shown": 0, "rounds": 0}
ROUND = {"edits": 0, "shown": 1, "rounds": 1}
NOTHING = {"edits": 0, "shown": 0, "rounds": 0}


def test_a_new_session_has_nothing_to_show(small_digits):
    session = new_session(small_digits, seed=7)
    assert not session.edits.edited.any()
    for prepare in (session.mapping, session.guiding, session.retraining):
        with pytest.raises(SessionError):
            prepare()
    state = session.state
    assert {state.train.seed, state.map.seed, state.retrain.seed} == {7}


def test_the_network_is_made_for_the_images(small_digits):
    job = new_session(small_digits).training(ClassifierSpec(latent_dim=5))
    assert job.spec.n_classes == 10
    assert job.spec.in_channels == 1
    assert job.spec.image_size == (28, 28)
    assert job.spec.latent_dim == 5


def test_settings_can_be_changed_without_a_word(trained_session):
    since = count_signals(trained_session)
    trained_session.set_train_settings(TrainSettings(epochs=2))
    trained_session.set_map_settings(MapSettings(neighbours=7))
    trained_session.set_retrain_settings(RetrainSettings(steps=3))
    state = trained_session.state
    assert (state.train.epochs, state.map.neighbours, state.retrain.steps) == (2, 7, 3)
    assert since() == NOTHING


def test_edit_undo_redo(trained_session, pin):
    since = count_signals(trained_session)
    start = trained_session.edits
    trained_session.apply(pin(trained_session))
    assert since() == EDITS_ONLY
    assert trained_session.edits.edited.sum() == 5
    trained_session.undo()
    assert since() == EDITS_ONLY
    assert not trained_session.edits.edited.any()
    assert_array_equal(trained_session.edits.labels, start.labels)
    trained_session.redo()
    assert since() == EDITS_ONLY
    assert trained_session.edits.edited.sum() == 5
    trained_session.redo()
    assert since() == NOTHING


def test_what_is_shown_follows_the_edits(trained_session, pin):
    places = trained_session.edits.positions
    before = trained_session.surroundings.at(places).neighbours
    edit = pin(trained_session)
    assert np.isin(edit.indices, before).any()
    trained_session.apply(edit)
    after = trained_session.surroundings.at(places).neighbours
    assert not np.isin(edit.indices, after).any(), "edited images never speak"
    guide = trained_session.guiding()
    assert guide.settled[edit.indices].all()
    assert (guide.labels[edit.indices] == 3).all()


def test_a_refused_edit_changes_nothing(trained_session):
    since, state = count_signals(trained_session), trained_session.state
    held_out = np.flatnonzero(trained_session.dataset.held_out)[:1]
    with pytest.raises(EditError, match="held out"):
        trained_session.apply(Pin(held_out, "3"))
    assert trained_session.state is state
    assert since() == NOTHING


def test_a_replay_is_all_or_nothing(trained_session, pin):
    since, state = count_signals(trained_session), trained_session.state
    good = [pin(trained_session), pin(trained_session, 5)]
    with pytest.raises(EditError):
        trained_session.replay([*good, Pin(np.array([10**6]), "3")])
    assert trained_session.state is state
    # A withdrawal counts from the edits that are there already.
    trained_session.apply(pin(trained_session, 10))
    since()
    trained_session.replay([*good, Withdraw(0)])
    assert since() == EDITS_ONLY
    assert trained_session.edits.edited.sum() == 10


def test_an_answer_is_remembered_without_a_word(trained_session):
    since = count_signals(trained_session)
    no = Answer(ProposalKind.GROUP, np.array([1, 2]), False)
    trained_session.answer(no)
    assert trained_session.answers == (no,)
    assert trained_session.guiding().answers == (no,)
    assert since() == NOTHING
    # The last word on a proposal counts, and only on that.
    other = Answer(ProposalKind.AMBIGUOUS, np.array([1]), False)
    again = replace(no)
    for answer in (other, again):
        trained_session.answer(answer)
    assert trained_session.answers == (other, again)


def test_an_answer_counts_as_long_as_its_edit_stands(trained_session, pin):
    edit = pin(trained_session)
    yes = Answer(ProposalKind.GROUP, edit.indices, True)
    no = Answer(ProposalKind.GROUP, pin(trained_session, 20).indices, False)
    trained_session.apply(edit)
    trained_session.answer(yes)
    trained_session.answer(no)
    assert trained_session.answers == (yes, no)
    for take_back in (Withdraw(0), Reset(edit.indices)):
        trained_session.apply(take_back)
        assert trained_session.answers == trained_session.guiding().answers == (no,)
        trained_session.undo()
        assert trained_session.answers == (yes, no)
    trained_session.undo()
    assert trained_session.answers == (no,)
    trained_session.redo()
    assert trained_session.answers == (yes, no)


def test_answers_outlive_the_round_that_learns_from_them(proposed):
    edited = np.concatenate([e.indices for e in proposed.state.rounds[-1].edits])
    yes = Answer(ProposalKind.GROUP, edited, True)
    proposed.answer(yes)
    for go_on in (lambda: None, proposed.accept, proposed.roll_back):
        go_on()
        assert proposed.answers == (yes,)
    proposed.undo()
    assert proposed.answers == ()


def test_without_an_edit_there_is_nothing_to_retrain(trained_session, pin):
    with pytest.raises(EditError, match="no edit to learn from"):
        trained_session.retraining()
    trained_session.replay([pin(trained_session), Withdraw(0)])
    with pytest.raises(EditError, match="no edit to learn from"):
        trained_session.retraining()


def test_open_edits_are_not_lost_to_a_new_network_or_map(trained_session, pin):
    trained = run_job(trained_session.training())
    drawn = run_job(trained_session.mapping())
    trained_session.apply(pin(trained_session))
    state = trained_session.state
    for lose in (
        trained_session.training,
        trained_session.mapping,
        lambda: trained_session.take_network(trained),
        lambda: trained_session.take_map(drawn),
    ):
        with pytest.raises(EditError, match="would be lost"):
            lose()
    assert trained_session.state is state


def test_what_is_said_of_images_alone_stays_when_their_map_is_drawn(trained_session):
    session = trained_session
    at = np.flatnonzero(~session.dataset.held_out)[:3]
    session.set_map_settings(MapSettings(method="pca"))
    before = session.shown.map
    job = session.mapping()
    session.apply(Relabel(at, "newt"))
    session.take_map(run_job(job))
    assert session.shown.map is not before
    assert_array_equal(
        session.edits.labels[at], session.edits.class_names.index("newt")
    )
    assert_array_equal(session.edits.positions, session.shown.map.coordinates)
    # The neighbours go with it: they are those of the network.
    assert_array_equal(session.shown.map.neighbours, before.neighbours)
    assert_array_equal(session.mapping().neighbours, before.neighbours)


def test_undone_edits_do_not_outlive_the_map_they_were_made_on(trained_session, pin):
    trained_session.apply(pin(trained_session))
    trained_session.undo()
    since = count_signals(trained_session)
    trained_session.take_map(run_job(trained_session.mapping()))
    assert since() == {"edits": 0, "shown": 1, "rounds": 0}
    assert trained_session.state.log == EditLog()


def test_a_proposal_is_shown_and_awaits_a_decision(proposed, pin):
    state = proposed.state
    assert state.proposal is state.rounds[-1]
    assert proposed.shown is state.proposal.after
    assert proposed.shown.class_names[-1] == "scribble"
    assert not proposed.edits.edited.any(), "its edits are in the round"
    for touch in (
        lambda: proposed.apply(pin(proposed, 20)),
        proposed.undo,
        proposed.redo,
        lambda: proposed.replay([pin(proposed, 20)]),
        proposed.retraining,
        proposed.training,
        proposed.mapping,
    ):
        with pytest.raises(EditError, match="awaits your decision"):
            touch()
    assert proposed.state is state


def test_only_one_round_awaits_a_decision(trained_session, pin):
    trained_session.apply(pin(trained_session))
    mapped = run_job(trained_session.retraining())
    trained_session.propose(mapped)
    with pytest.raises(EditError, match="awaits your decision"):
        trained_session.propose(mapped)


def test_a_round_keeps_the_settings_that_it_was_trained_with(trained_session, pin):
    trained_session.apply(pin(trained_session))
    used = trained_session.state.retrain
    mapped = run_job(trained_session.retraining())
    trained_session.set_retrain_settings(replace(used, steps=999, seed=5))
    trained_session.propose(mapped)
    assert trained_session.state.rounds[-1].settings == used


def test_accepting_goes_on_from_the_outcome(proposed):
    since, outcome = count_signals(proposed), proposed.state.rounds[-1].after
    edited = np.concatenate([e.indices for e in proposed.state.rounds[-1].edits])
    proposed.accept()
    assert since() == ROUND
    state = proposed.state
    assert state.checkpoint is outcome
    assert state.log == EditLog()
    assert [past.status for past in state.rounds] == [RoundStatus.ACCEPTED]
    assert np.flatnonzero(state.checkpoint.confirmed).tolist() == sorted(edited)
    assert proposed.guiding().settled[edited].all()
    with pytest.raises(SessionError, match="No round awaits"):
        proposed.accept()


def test_rolling_back_a_proposal_restores_what_was_there(proposed_state):
    earlier = proposed_state
    # An edit that was undone before the retraining can be redone after it.
    undone = EditLog(earlier.log.done, (Relabel(np.array([0]), "3"),))
    session = Session(replace(earlier, log=undone))
    since = count_signals(session)
    session.roll_back()
    assert since() == ROUND
    assert session.state.checkpoint is earlier.rounds[-1].before
    assert session.state.log is undone
    assert session.state.rounds[-1].status is RoundStatus.ROLLED_BACK
    assert session.state.proposal is None
    with pytest.raises(SessionError, match="no round to roll back"):
        session.roll_back()


def test_rolling_back_an_accepted_round_opens_its_edits(proposed):
    edits, before = proposed.state.rounds[-1].edits, proposed.state.rounds[-1].before
    opened = {
        name: getattr(Session(proposed.state).state.checkpoint, name)
        for name in ("labels", "confirmed", "class_names", "network", "map")
    }
    proposed.accept()
    since = count_signals(proposed)
    proposed.roll_back()
    assert since() == ROUND
    assert proposed.state.checkpoint is before
    assert proposed.state.log == EditLog(edits)
    for name, value in opened.items():
        assert getattr(proposed.state.checkpoint, name) is value
    assert proposed.edits.class_names[-1] == "scribble"


def test_edits_made_since_are_not_lost_by_rolling_back(proposed, pin):
    proposed.accept()
    proposed.apply(pin(proposed, 30))
    state = proposed.state
    with pytest.raises(EditError, match="would be lost"):
        proposed.roll_back()
    assert proposed.state is state
    proposed.undo()
    proposed.roll_back()
    assert proposed.state.checkpoint is state.rounds[-1].before


def test_rounds_are_rolled_back_one_after_the_other(proposed, pin):
    first = proposed.state.checkpoint
    proposed.accept()
    second = proposed.state.checkpoint
    proposed.apply(pin(proposed, 30))
    proposed.propose(run_job(proposed.retraining()))
    proposed.accept()
    proposed.roll_back()
    assert proposed.state.checkpoint is second
    proposed.undo()
    proposed.roll_back()
    assert proposed.state.checkpoint is first
    assert {past.status for past in proposed.state.rounds} == {RoundStatus.ROLLED_BACK}
