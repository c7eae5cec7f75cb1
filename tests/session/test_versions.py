"""Sessions of other versions.

``version_1.tar.xz`` is a session that the last code of version 1 saved. It has sixty
digits, 20 each of 3, 5 and 8, and a network with 8 latents that is trained on four
labels of each. Its first round, with the objective "projective", corrections without a
human and edits that speak for others, is accepted; its second, with "distill", is
rolled back. "regression" is chosen for the next. Edits of every kind are done and
undone, among them "spare", spares that are taken back, and takings-back of these. It
has an answer of each kind but doubts, two of them to second looks, and two traversals.
``version_1.json`` is what that code said of it. ``version_2.tar.xz`` and so on are the
same, as the code of these versions brought it up and saved it.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.edits import EditState, describe
from napari_spaceediting.editing.selections import SaveSelection
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.session.classes import folded
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.people import selections
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.state import SessionState
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.versions import VERSION, brought_up

HERE = Path(__file__).parent
NAME = "version_1.spaceediting"
SAID = json.loads((HERE / "version_1.json").read_text())

GONE = "objective", "arrange_weight", "automatic", "propagate"
"""Settings of rounds that there are no more."""


@pytest.fixture(scope="module")
def opened(version_1: Path) -> tuple[SessionState, list[str]]:
    """Return what it is opened as, and what is said of it."""
    notes: list[str] = []
    return load_session(version_1, notes.append), notes


@pytest.fixture
def state(opened) -> SessionState:
    return opened[0]


@pytest.fixture(scope="module")
def present(version_1: Path) -> Path:
    """Return the folder of the same in the present version, which nobody changes."""
    folder = version_1.with_name("present.spaceediting")
    save_session(load_session(version_1, [].append), folder)
    return folder


@pytest.fixture
def saved(present: Path, tmp_path: Path) -> Path:
    """Return a copy of one's own."""
    return shutil.copytree(present, tmp_path / NAME)


def check_edits(edits: EditState, said: dict[str, Any]) -> None:
    assert list(edits.class_names) == said["class_names"]
    assert edits.labels.tolist() == said["labels"]
    assert edits.kinds.tolist() == said["kinds"]
    assert_allclose(edits.positions, said["positions"], atol=1e-4)


def words(edits: Sequence[Any]) -> list[str]:
    return [describe(edit) for edit in edits]


def test_what_is_not_as_it_was_is_said_once(opened):
    spared, asked, unknown = opened[1]
    assert spared.startswith("Edits that spared images are left out")
    assert "“second look” are left out" in asked
    for setting in GONE:
        for where in "round 1", "round 2", "the next round":
            assert unknown.count(f"“{setting}” of {where}") == 1


def test_its_edits_stand_without_those_that_are_gone(state):
    assert words(state.log.done) == [
        "Pinned 2 images as 5",
        "Arranged 3 images",
        "Pinned 2 images as 3",
        "Took back edit 3",
        "Took back edit 4",
        "Took back edit 1",
        "Reset 1 image",
        "Moved 2 images to 8",
    ]
    assert words(state.log.undone) == ["Took back edit 8", "Took back edit 7"]
    session = Session(state)
    check_edits(session.edits, SAID["open"])
    session.redo()
    session.redo()
    check_edits(session.edits, SAID["redone"])
    assert not session.state.log.undone


def test_its_rounds_are_as_they_were(state):
    first, second = state.rounds
    assert words(first.edits) == [
        "Moved 3 images to 3",
        "Pinned 2 images as 8",
        "Pinned 1 image as 3",
        "Took back edit 3",
        "Labelled 2 images scribble",
    ]
    for past, said in zip(state.rounds, SAID["rounds"], strict=True):
        assert past.status.value == said["status"]
        assert {n: a.accuracy for n, a in past.evidence.arms.items()} == said[
            "accuracy"
        ]
        check_edits(folded(past.edits, past.before), said)
        assert past.settings.recipe == "descent"
    assert first.after is second.before is state.checkpoint
    assert (first.settings.repeats, first.settings.steps) == (2, 30)
    assert first.settings.arms == (
        "control", "relabel", "automatic", "placebo", "ceiling"
    )  # fmt: skip


def test_its_networks_maps_and_settings_are_as_they_were(state, version_1):
    values = json.loads((version_1 / "session.json").read_text())

    def array(key: str) -> Any:
        return np.load(version_1 / "arrays" / f"{key}.npy")

    checkpoint, old = state.checkpoint, values["checkpoint"]
    for found, name in (
        (checkpoint.labels, old["labels"]),
        (checkpoint.confirmed, old["confirmed"]),
        (checkpoint.network.predictions.latents, old["network"]["latents"]),
        (checkpoint.map.coordinates, old["map"]["coordinates"]),
        (checkpoint.map.neighbours, old["map"]["neighbours"]),
        (state.dataset.ids, values["dataset"]["ids"]),
        (state.dataset.split, values["dataset"]["split"]),
    ):
        assert_array_equal(found, array(name))
    assert checkpoint.network.spec.latent_dim == 8
    assert (state.train.epochs, state.map.min_dist, state.seed) == (12, 0.2, 3)
    chosen = state.retrain
    assert (chosen.recipe, chosen.keep_weight, chosen.steps) == ("solved", 0.5, 30)
    assert state.dataset.notes == ("Sixty of the digits.",)


def test_its_answers_and_traversals_are_as_they_were(state):
    found = [answer.kind.value for answer in Session(state).answers]
    assert found == [kind for kind in SAID["answers"] if kind != "second look"]
    assert state.answers[1].signs == (0.1, 1 / 3, 1.0)
    assert [describe_kept(kept, state) for kept in state.traversals] == (
        SAID["traversals"]
    )
    outcome = state.traversals[0].outcome.read()
    assert outcome.images.shape == (2, 3, 1, 28, 28)
    assert outcome.settings.neighbours == (5, None)


def test_it_is_saved_as_the_present_version(assert_equal, state, saved):
    values = json.loads((saved / "session.json").read_text())
    assert values["version"] == VERSION
    # Whatever it would say is a warning, which fails here.
    assert_equal(state, load_session(saved))


def test_its_network_sees_what_it_saw(state):
    network = state.checkpoint.network
    found = run_job(
        ExtractPredictions(state.dataset, network.spec, network.state, "cpu")
    )
    for name in ("latents", "probabilities"):
        before = getattr(network.predictions, name)
        assert_allclose(getattr(found, name), before, atol=1e-4)


def test_guidance_goes_on_from_its_answers(state):
    session = Session(state)
    assert len(session.guiding().answers) == 3
    assert run_job(session.guiding())


def test_a_session_that_never_had_what_is_gone_says_nothing(version_1):
    values = json.loads((version_1 / "session.json").read_text())
    plain = {"steps": 9}
    pin = {"kind": "pin", "images": ["a"], "tag": "3"}
    values |= {
        "log": {"done": [pin, {"kind": "withdraw", "number": 0}], "undone": []},
        "rounds": [],
        "retrain": plain,
    }
    del values["answers"], values["traversals"]
    notes: list[str] = []
    found = brought_up(values, notes.append)
    assert notes == []
    assert found == {
        **values,
        "version": VERSION,
        "answers": [],
        "traversals": [],
        "axes": [],
        "habits": {},
        "look": {"channels": []},
    }


def withdraw(*numbers: int) -> list[dict[str, Any]]:
    return [{"kind": "withdraw", "number": number} for number in numbers]


SPARE, PIN = {"kind": "spare", "images": ["a"]}, {"kind": "pin", "images": ["a"]}


@pytest.mark.parametrize(
    ("done", "undone", "done_after", "undone_after"),
    [
        ([SPARE], [], [], []),
        ([], [SPARE, PIN], [], [PIN]),
        ([SPARE, PIN, *withdraw(1)], [], [PIN, *withdraw(0)], []),
        ([PIN, SPARE, *withdraw(1, 2, 3)], [], [PIN], []),
        ([PIN, SPARE], withdraw(0, 2), [PIN], withdraw(0, 1)),
        ([PIN], [SPARE, *withdraw(1, 0)], [PIN], withdraw(0)),
    ],
)
def test_what_took_back_an_edit_finds_it_again(
    version_1, done, undone, done_after, undone_after
):
    values = json.loads((version_1 / "session.json").read_text())
    log = {"done": done, "undone": undone}
    found = brought_up(values | {"log": log}, [].append)["log"]
    assert found == {"done": done_after, "undone": undone_after}


def of_version(version: int, place: Path) -> Path:
    """Return the folder of the session as a version has saved it."""
    with tarfile.open(HERE / f"version_{version}.tar.xz") as archive:
        archive.extractall(place, filter="data")
    folder = place / f"version_{version}.spaceediting"
    assert json.loads((folder / "session.json").read_text())["version"] == version
    return folder


@pytest.mark.parametrize("version", range(2, VERSION))
def test_a_session_of_each_version_before_opens_as_it_was(
    assert_equal, state, tmp_path, version
):
    notes: list[str] = []
    found = load_session(of_version(version, tmp_path), notes.append)
    assert all(note.startswith("Left out, as this version") for note in notes)
    assert len(notes) == (version < 4)
    assert_equal(state, found)


def test_a_session_of_version_2_loses_the_weights_that_nobody_needs(
    assert_equal, state, tmp_path
):
    folder = of_version(2, tmp_path)
    assert len(list(folder.glob("weights/*"))) == 3
    with SessionFolder.open(folder) as place:
        found = place.load([].append)
        assert_equal(state, found)
        place.save(found)
    assert len(list(folder.glob("weights/*"))) == 2
    assert_equal(state, load_session(folder))


def test_rounds_of_version_3_keep_their_recipe_and_the_next_is_solved(state, tmp_path):
    folder = of_version(3, tmp_path)
    session = Session(load_session(folder, [].append))
    assert {past.settings.recipe for past in session.state.rounds} == {"descent"}
    latents = session.shown.network.predictions.latents
    again = run_job(session.retraining())
    assert again.result.settings.recipe == "solved"
    assert again.result.predictions.latents.shape[1] > latents.shape[1]
    assert np.isfinite(again.result.evidence.drift)


def test_checkpoints_of_version_4_move_into_a_file_each(assert_equal, state, tmp_path):
    folder = of_version(4, tmp_path)
    arrays = len(list(folder.glob("arrays/*")))
    with SessionFolder.open(folder) as place:
        found = place.load()
        assert_equal(state, found)
        place.save(found)
        place.let_go()
        assert_equal(state, found)
    # Before the rounds, between them and after the second.
    assert len(list(folder.glob("checkpoints/*"))) == 3
    assert len(list(folder.glob("arrays/*"))) < arrays
    assert_equal(state, load_session(folder))


def test_a_session_of_version_5_gets_selections(assert_equal, state, tmp_path):
    session = Session(load_session(of_version(5, tmp_path)))
    assert_equal(state, session.state)
    session.apply(SaveSelection(np.array([3, 1]), "odd"))
    save_session(session.state, tmp_path / "now.spaceediting")
    again = load_session(tmp_path / "now.spaceediting")
    assert selections(again)["odd"].tolist() == [3, 1]


# Keys and values that are not known


Change = Callable[[dict[str, Any]], object]


def changed(folder: Path, change: Change) -> Path:
    index = folder / "session.json"
    values = json.loads(index.read_text())
    change(values)
    index.write_text(json.dumps(values))
    return folder


def at(values: Any, *path: str | int) -> Any:
    for name in path:
        values = values[name]
    return values


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ((), "the session"),
        (("dataset",), "the data set"),
        (("dataset", "scaling"), "the intensity scaling"),
        (("checkpoint",), "a checkpoint"),
        (("checkpoint", "network"), "a network"),
        (("checkpoint", "network", "spec"), "a network"),
        (("checkpoint", "map"), "a map"),
        (("log",), "the list of edits"),
        (("log", "done", 0), "an edit"),
        (("rounds", 0), "round 1"),
        (("rounds", 1, "settings"), "round 2"),
        (("rounds", 1, "evidence"), "the evidence of round 2"),
        (("rounds", 1, "edits", 0), "an edit"),
        (("answers", 0), "an answer"),
        (("traversals", 0), "a traversal"),
        (("train",), "the training"),
        (("map",), "the map"),
        (("retrain",), "the next round"),
    ],
)
def test_an_unknown_key_is_left_out_and_told(assert_equal, state, saved, path, where):
    changed(saved, lambda values: at(values, *path).update(flavour="sweet"))
    notes: list[str] = []
    assert_equal(state, load_session(saved, notes.append))
    assert notes == [
        f"Left out, as this version does not know it: “flavour” of {where}."
    ]


def test_whoever_does_not_listen_is_warned(saved):
    changed(saved, lambda values: values.update(flavour="sweet"))
    with pytest.warns(UserWarning, match="“flavour” of the session"):
        load_session(saved)


def test_an_unknown_setting_of_a_traversal_is_among_its_notes(state, saved):
    path = "traversals", 0, "outcome", "settings"
    changed(saved, lambda values: at(values, *path).update(flavour="sweet", most=-1))
    (kept, _) = load_session(saved).traversals
    before, found = state.traversals[0].outcome.read(), kept.outcome.read()
    assert found.settings == replace(before.settings, most=300)
    assert found.notes == (
        *before.notes,
        "“most” of its settings is -1, which cannot be: 300 takes its place.",
        "Left out, as this version does not know it: “flavour” of its settings.",
    )


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("retrain", "recipe"), "magic", "“recipe” of the next round is 'magic'"),
        (("retrain", "arms"), ["magic"], "“arms” of the next round is ['magic']"),
        (("retrain", "steps"), "many", "“steps” of the next round is 'many'"),
        (("retrain", "repeats"), 0, "“repeats” of the next round is 0"),
        (("rounds", 0, "settings", "recipe"), "magic", "“recipe” of round 1 is"),
        (("train", "trainable"), "tail", "“trainable” of the training is 'tail'"),
        (("train", "epochs"), None, "“epochs” of the training is None"),
        (("map", "method"), "tsne", "“method” of the map is 'tsne'"),
        (("map", "neighbours"), 1, "“neighbours” of the map is 1"),
    ],
)
def test_an_impossible_setting_takes_its_default(saved, path, value, told):
    changed(saved, lambda values: at(values, *path[:-1]).update({path[-1]: value}))
    notes: list[str] = []
    found = load_session(saved, notes.append)
    (note,) = notes
    assert note.startswith(told)
    owner = found.rounds[0].settings if path[0] == "rounds" else getattr(found, path[0])
    usual = getattr(type(owner)(), path[-1])
    assert getattr(owner, path[-1]) == usual
    assert note.endswith(f", which cannot be: {usual!r} takes its place.")


def test_a_missing_setting_has_its_default(state, saved):
    for name in ("retrain", "train", "map"):
        changed(saved, lambda values, name=name: values[name].pop("seed"))
    found = load_session(saved)
    assert found.retrain == replace(state.retrain, seed=0)
    assert (found.train.seed, found.map.seed) == (0, 0)


def test_answers_to_what_is_not_proposed_are_left_out(state, saved):
    changed(saved, lambda values: values["answers"][0].update(kind="hunch"))
    notes: list[str] = []
    found = load_session(saved, notes.append)
    assert [a.kind for a in found.answers] == [a.kind for a in state.answers[1:]]
    assert notes == [
        "Answers to proposals of the kind “hunch” are left out, as this version has "
        "none."
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rounds", 0, "status"), "wondrous"),
        (("log", "done", 0, "kind"), "twist"),
        (("log", "done", 0, "images"), ["nowhere"]),
        (("checkpoint", "map", "method"), "tsne"),
        (("checkpoint", "network", "spec", "image_size"), [28]),
        (("dataset", "scaling", "mode"), "magic"),
        (("dataset", "pixels"), {"kind": "dream"}),
        (("traversals", 0, "sources"), None),
    ],
)
def test_what_cannot_be_left_out_is_damage(saved, path, value):
    changed(saved, lambda values: at(values, *path[:-1]).update({path[-1]: value}))
    with pytest.raises(SessionError, match="is damaged") as caught:
        load_session(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [VERSION + 1, 99])
def test_a_later_version_is_refused(version_1, tmp_path, version):
    shutil.copytree(version_1, tmp_path / NAME)
    changed(tmp_path / NAME, lambda values: values.update(version=version))
    with pytest.raises(SessionError, match=r"newer version.*update it") as caught:
        load_session(tmp_path / NAME)
    assert "\n" not in str(caught.value)


def test_keys_of_version_4_belong_to_the_classes():
    end = {"map": None}
    values = {
        "version": 4,
        "habits": {"keys": {"cat": "Q"}, "paces": {}},
        "checkpoint": end,
        "rounds": [{"before": end, "after": end}],
    }
    found = brought_up(values, lambda _: None)
    now = {"map": None, "traits": {"key": {"cat": "Q"}}}
    assert found["checkpoint"] == now
    assert found["rounds"] == [{"before": now, "after": now}]
    assert found["habits"] == {"paces": {}}
