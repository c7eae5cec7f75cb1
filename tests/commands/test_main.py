from __future__ import annotations

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting import __version__
from napari_spaceediting.commands import guide
from napari_spaceediting.commands.main import main
from napari_spaceediting.commands.retrain import read_edits
from napari_spaceediting.errors import JobFailed, MapFailed, TrainingFailed
from napari_spaceediting.session.folder import SessionFolder
from napari_spaceediting.session.storage import load_session, save_session


def test_the_loop_command_by_command(command, images, tmp_path):
    folder = tmp_path / "one.spaceediting"
    made = command("new", images, folder, "--labels-per-class", 6, "--seed", 2)
    assert made["images"] == 300
    assert len(made["classes"]) == 10
    state = load_session(folder)
    assert state.seed == state.train.seed == 2
    training = state.dataset.labels[~state.dataset.held_out]
    assert (np.bincount(training[training >= 0]) == 6).all()

    trained = command("train", folder, "--epochs", 2, "--device", "cpu")
    assert trained["epochs"] == 2
    assert 0 <= trained["validation_accuracy"] <= 1
    drawn = command("map", folder, "--method", "pca")
    assert drawn["method"] == "pca"

    proposals = command("guide", folder, "-n", 4)
    assert len(proposals) == 4
    assert proposals[0]["kind"] == "group"
    edits = tmp_path / "edits.json"
    edits.write_text(
        json.dumps(
            [{"kind": "pin", "images": p["images"], "tag": "7"} for p in proposals[:2]]
        )
    )
    done = command("retrain", folder, "--edits", edits, "--steps", 5)
    assert done["round"] == 1
    assert done["status"] == "proposed"
    assert set(done["arms"]) == {"before", "after", "control"}
    assert set(done["edited"]) == {i for p in proposals[:2] for i in p["images"]}
    assert command("evidence", folder) == done

    assert command("accept", folder) == {"rounds": ["accepted"], "open_edits": 0}
    assert command("roll-back", folder) == {"rounds": ["rolled back"], "open_edits": 2}
    again = command("retrain", folder, "--accept", "--arms")
    assert again["round"] == 2
    assert again["status"] == "accepted"
    assert set(again["arms"]) == {"before", "after"}
    assert command("evidence", folder, "--round", 1)["verdict"] == done["verdict"]


def test_without_json_the_words_go_to_the_standard_output(capsys, folder):
    assert main(["guide", str(folder), "-n", "2"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert "unlabelled images" in out


def test_json_can_go_to_a_file(capsys, folder, tmp_path):
    target = tmp_path / "out.json"
    assert main(["guide", str(folder), "-n", "2", "--json", str(target)]) == 0
    assert len(json.loads(target.read_text())) == 2
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "{tmp}/nothing", "{tmp}/two.spaceediting"], "nothing at"),
        (["new", "sample:cats", "{tmp}/two.spaceediting"], "no sample 'cats'"),
        (["new", "sample:digits", "{tmp}/two"], "end in .spaceediting"),
        (["new", "sample:digits", "{folder}"], "exists already"),
        (["train", "{tmp}/no.spaceediting"], "not a saved session"),
        (["train", "{folder}", "--backbone", "resnet1"], "resnet1"),
        (["retrain", "{folder}"], "no edit to learn from"),
        (["retrain", "{folder}", "--edits", "{tmp}/no.json"], "cannot be read"),
        (["retrain", "{folder}", "--edits", "{tmp}/half.json"], "cannot be read"),
        (["retrain", "{folder}", "--edits", "{tmp}/object.json"], "holds no list"),
        (["retrain", "{folder}", "--edits", "{tmp}/other.json"], "not in the data set"),
        (["evidence", "{folder}"], "no round yet"),
        (["accept", "{folder}"], "No round awaits"),
        (["roll-back", "{folder}"], "no round to roll back"),
    ],
)
def test_what_cannot_be_used_exits_with_1(command, folder, tmp_path, arguments, words):
    (tmp_path / "half.json").write_text("[{")
    (tmp_path / "object.json").write_text("{}")
    (tmp_path / "other.json").write_text(
        '[{"kind": "pin", "images": ["who"], "tag": "3"}]'
    )
    before = (folder / "session.json").read_bytes()
    said = command(*[a.format(tmp=tmp_path, folder=folder) for a in arguments], code=1)
    assert words in said
    assert (folder / "session.json").read_bytes() == before


def test_open_edits_are_refused_before_a_long_training(
    command, folder, edits, trained_session, pin_state
):
    save_session(pin_state, folder)
    for name in ("train", "map"):
        assert "would be lost" in command(name, folder, code=1)


@pytest.fixture
def pin_state(trained_session, edits):
    entries = read_edits(edits, trained_session.dataset.ids)
    trained_session.replay(entries)
    return trained_session.state


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["train"],
        ["train", "x", "--epochs", "0"],
        ["train", "x", "--epochs", "many"],
        ["retrain", "x", "--steps", "-1"],
        ["retrain", "x", "--arms", "nobody"],
        ["retrain", "x", "--repeats", "0"],
        ["guide", "x", "-n", "0"],
        ["new", "x", "y", "--labels-per-class", "-1"],
        ["open", "x", "--json", "-"],
    ],
)
def test_what_is_not_understood_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_training_that_fails_exits_with_3(command, folder, edits):
    state = load_session(folder)
    wild = replace(state.retrain, trainable="last_block", learning_rate=1e30)
    save_session(replace(state, retrain=wild), folder)
    before = (folder / "session.json").read_bytes()
    assert "learning rate" in command("retrain", folder, "--edits", edits, code=3)
    assert (folder / "session.json").read_bytes() == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TrainingFailed("no"), 3),
        (MapFailed("no"), 3),
        (JobFailed("no"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_failure_has_its_exit_code(folder, monkeypatch, capsys, error, code):
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(guide, "run", fail)
    assert main(["guide", str(folder)]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_outcome_that_cannot_be_written_is_told(folder, tmp_path, capsys):
    target = tmp_path / "no" / "out.json"
    assert main(["guide", str(folder), "--json", str(target)]) == 1
    assert "could not be written" in capsys.readouterr().err


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_what_is_not_as_an_older_version_saved_it_is_told(command, version_1, capsys):
    assert main(["evidence", str(version_1), "--round", "2"]) == 0
    assert "Edits that spared images are left out" in capsys.readouterr().out
    assert command("evidence", version_1)["status"] == "rolled back"


def test_a_session_that_is_open_elsewhere_is_not_worked_on(command, folder, edits):
    before = (folder / "session.json").read_bytes()
    with SessionFolder.open(folder, program="napari"):
        told = command("retrain", folder, "--edits", edits, code=1)
        assert told.startswith("one.spaceediting is open in napari on ")
        assert "--wait" in told
        # To look at it is allowed.
        command("guide", folder)
    assert (folder / "session.json").read_bytes() == before


def test_a_command_waits_until_the_session_is_closed(command, folder):
    holding = SessionFolder.open(folder)
    closing = threading.Timer(0.2, holding.close)
    closing.start()
    command("map", folder, "--method", "pca", "--wait")
    closing.join()


def test_what_went_beside_a_session_is_told_as_that(command, folder, monkeypatch):
    load = SessionFolder.load

    def load_and_lose(self, say):
        state = load(self, say)
        (folder / "session.json").write_bytes(b"{}")
        return state

    monkeypatch.setattr(SessionFolder, "load", load_and_lose)
    told = command("map", folder, "--method", "pca", code=1)
    assert (folder / "session.json").read_bytes() == b"{}"
    (beside,) = folder.parent.glob("* (conflict *")
    assert beside.name in told
    assert (beside / "session.json").exists()


def test_a_terminal_without_the_letters_of_a_class_loses_nothing(
    folder, tmp_path, trained_state, monkeypatch
):
    free = np.flatnonzero(~trained_state.dataset.held_out)[:5]
    edits = tmp_path / "edits.json"
    images = trained_state.dataset.ids[free].tolist()
    edits.write_text(json.dumps([{"kind": "pin", "images": images, "tag": "ß→"}]))
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", out)
    words = ["retrain", str(folder), "--edits", str(edits), "--steps", "2", "--arms"]
    assert main(words) == 0
    assert load_session(folder).rounds[-1].after.class_names[-1] == "ß→"
