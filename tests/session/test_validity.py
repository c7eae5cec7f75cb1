"""What cannot be in a session is told in one sentence, whatever it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.session import Session
from napari_spaceediting.session.storage import load_session, save_session
from napari_spaceediting.session.store import Store


@pytest.fixture(scope="module")
def whole(proposed_state, tmp_path_factory) -> Path:
    """Return a session with all that a session can have, but traversals."""
    session = Session(proposed_state)
    session.accept()
    free = np.flatnonzero(~session.dataset.held_out)
    session.answer(Answer(ProposalKind.GROUP, free[:3], False, (0.5,)))
    session.replay(session.state.rounds[0].edits[:1])
    folder = tmp_path_factory.mktemp("whole") / "one.spaceediting"
    save_session(session.state, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "one.spaceediting")


def refused(folder: Path, words: str = "") -> None:
    with pytest.raises(SessionError, match="is damaged") as caught:
        load_session(folder)
    told = str(caught.value)
    assert words in told
    assert "\n" not in told
    assert len(told) < 700


def put(folder: Path, path: tuple[str | int, ...], value: Any) -> None:
    index = folder / "session.json"
    values = inner = json.loads(index.read_text())
    for name in path[:-1]:
        inner = inner[name]
    assert path[-1] in inner or isinstance(path[-1], int)
    inner[path[-1]] = value
    # As JSON that others wrote may have it: 1e400, NaN.
    index.write_text(json.dumps(values).replace("Infinity", "1e400"))


FAR, NOTHING, HUGE = float("inf"), float("nan"), 10**30
EVIDENCE = "rounds", 0, "evidence"
EDIT = "log", "done", 0


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("seed",), HUGE, "the seed"),
        (("seed",), -1, "the seed"),
        (("checkpoint", "network", "spec", "latent_dim"), HUGE, "latent_dim"),
        (("checkpoint", "network", "spec", "latent_dim"), 7, "the latents"),
        (("checkpoint", "network", "spec", "n_classes"), 99, "the network"),
        (("checkpoint", "network", "spec", "image_size"), [0, 28], "images of (0, 28)"),
        (("checkpoint", "class_names"), ["a", "a"], ""),
        (("checkpoint", "class_names"), ["a"], "the labels of the checkpoint"),
        (("dataset", "pixels", "n_channels"), {"a": 1}, "channels"),
        (("dataset", "pixels", "n_channels"), True, "channels"),
        (("dataset", "name"), "\ud800", "the name of the data set is no text"),
        (("dataset", "image_size"), [HUGE, 1], "images"),
        (("dataset", "scaling"), {"mode": "range", "low": [0.0], "high": [FAR]}, "inf"),
        ((*EDIT, "tag"), "\udfff", "the class of edit 1"),
        ((*EDIT, "tag"), " ", "has no name"),
        ((*EDIT, "images"), ["nowhere"], "not in the data set"),
        (EDIT, {"kind": "withdraw", "number": 0}, "edit 1 of the list of edits"),
        (EDIT, {"kind": "withdraw", "number": HUGE}, "edit 1 of the list of edits"),
        (("answers", 0, "signs"), [FAR], "a sign of answer 1"),
        (("rounds", 0, "seconds"), FAR, "the seconds of round 1"),
        (("rounds", 0, "created"), "long ago", "the time of round 1"),
        ((*EVIDENCE, "n_images"), HUGE, "the evidence of round 1"),
        ((*EVIDENCE, "arms", "after", "accuracy"), NOTHING, "“after”"),
        ((*EVIDENCE, "arms", "after", "accuracy"), 1.5, "“after”"),
        ((*EVIDENCE, "arms", "after", "recall"), [0.5], "the recall"),
        ((*EVIDENCE, "arms", "after", "confusion"), [[HUGE]], ""),
        ((*EVIDENCE, "arms", "after", "confusion"), 3, "the confusion"),
        ((*EVIDENCE, "over", "control"), [FAR, 0.0, 0.0], "a difference"),
        ((*EVIDENCE, "fixed"), [300], "“fixed”"),
        ((*EVIDENCE, "broken"), [-1], "“broken”"),
        ((*EVIDENCE, "edited"), [1, 1], "“edited”"),
        ((*EVIDENCE, "followed"), [], "“followed”"),
        ((*EVIDENCE, "arms"), {}, "has no “after”"),
        ((*EVIDENCE, "over"), {"nothing": [0.1, 0.0, 0.2]}, "compares with nothing"),
        ((*EVIDENCE, "arms", "after", "calibration"), None, "half of its certainty"),
        # Nothing is taken for what it might have meant.
        ((*EVIDENCE, "fixed"), [False], "False is no int64"),
        ((*EVIDENCE, "fixed"), ["3"], "'3' is no int64"),
        ((*EVIDENCE, "fixed"), [0.5], "0.5 is no int64"),
        ((*EVIDENCE, "followed"), ["yes"], "'yes' is no bool"),
        ((*EVIDENCE, "arms", "after", "recall"), ["0.5"], "is no float64"),
        (("checkpoint", "class_names"), "0123456789", "is no list"),
        (("dataset", "image_size"), "88", "is no list"),
    ],
)
def test_what_does_not_fit_is_told(folder, path, value, words):
    put(folder, path, value)
    refused(folder, words)


def test_images_that_an_edit_names_twice_are_told(folder):
    name = json.loads((folder / "session.json").read_text())["log"]["done"][0]
    put(folder, (*EDIT, "images"), [name["images"][0]] * 2)
    refused(folder, "names an image twice")


@pytest.mark.parametrize(
    ("path", "values", "words"),
    [
        (("checkpoint", "labels"), np.full(300, 99), "99"),
        (("checkpoint", "labels"), np.full(300, -2), "-2"),
        (("checkpoint", "labels"), np.zeros(299, np.int64), "299"),
        (("checkpoint", "labels"), np.zeros(300), "float64"),
        (("checkpoint", "confirmed"), np.zeros(300, np.int64), "what is confirmed"),
        (("checkpoint", "map", "coordinates"), np.full((300, 2), np.nan), "places"),
        (("checkpoint", "map", "coordinates"), np.zeros((300, 3)), "(300, 3)"),
        (("checkpoint", "map", "neighbours"), np.full((300, 5), 300), "neighbours"),
        (("checkpoint", "network", "latents"), np.full((300, 64), np.inf), "latents"),
        (("checkpoint", "network", "margins"), np.zeros((300, 2)), "margins"),
        (("dataset", "ids"), np.arange(300), "not in the data set"),
        (("dataset", "ids"), np.full(300, "a"), "more than once"),
        (("dataset", "split"), np.full(300, 7), "splits"),
        (("dataset", "labels"), np.full(300, 99), "99"),
        (("dataset", "columns", "truth"), np.zeros(300), "the truth"),
        (("rounds", 0, "losses"), np.zeros((2, 2)), "the losses of round 1"),
    ],
)
def test_arrays_that_do_not_fit_are_told(folder, path, values, words):
    put(folder, path, Store(folder).put(values))
    refused(folder, words)


@pytest.mark.parametrize(
    "key",
    ["../../secret", "/etc/passwd", "", ".", "A" * 32, "a" * 31, "a" * 32 + "\n", 3,
     None, ["a"], {"a": 1}, "\0" * 32],
)  # fmt: skip
def test_only_digests_are_names(folder, key):
    np.save(folder.parent / "secret.npy", np.zeros(300, np.int64))
    put(folder, ("checkpoint", "labels"), key)
    refused(folder, "is no name of a file in arrays")
    put(folder, ("checkpoint", "network", "weights"), key)


def test_weights_are_named_by_digests_alone(folder):
    put(folder, ("checkpoint", "network", "weights"), "../weights")
    refused(folder, "is no name of a file in weights")


def test_every_flipped_bit_of_an_array_is_found(folder):
    rng = np.random.default_rng(0)
    before, refused_any = load_session(folder), False
    for path in sorted(folder.glob("arrays/*")):
        content = path.read_bytes()
        # Blanks in the header before it mean nothing.
        at = int(rng.integers(content.index(b"\n"), len(content)))
        flipped = bytearray(content)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        told: list[str] = []
        try:
            load_session(folder, told.append)
        except SessionError as error:
            told.append(f"refused: {error}")
        # What only an older round needs is told, and the rest opens.
        assert path.name in told[0]
        refused_any |= told[0].startswith("refused: ")
        path.write_bytes(content)
    assert refused_any
    after = load_session(folder)
    np.testing.assert_array_equal(before.checkpoint.labels, after.checkpoint.labels)


@pytest.mark.parametrize(
    "text",
    ["[" * 10_000, '{"version": ' + "[" * 100_000, '{"a":' * 10_000, "1e400", "NaN",
     '{"version": 1e400}', '{"version": NaN}', '{"version": true}', '"\\ud800"',
     '{"version": "3"}', '{"version": [3]}', "null", "", "\0"],
)  # fmt: skip
def test_what_is_no_index_is_told(folder, text):
    (folder / "session.json").write_text(text)
    refused(folder)


def test_rights_that_are_missing_are_not_told_as_damage(folder, monkeypatch):
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(SessionError, match=r"cannot be read .*Permission denied"):
            load_session(folder)
    load_session(folder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("train", "epochs"), 0),
        (("train", "learning_rate"), FAR),
        (("train", "learning_rate"), NOTHING),
        (("train", "batch_size"), -3),
        (("retrain", "steps"), HUGE),
        (("retrain", "seed"), HUGE),
        (("map", "neighbours"), HUGE),
        (("map", "min_dist"), FAR),
    ],
)
def test_settings_that_cannot_be_take_their_default(folder, path, value):
    put(folder, path, value)
    notes: list[str] = []
    state = load_session(folder, notes.append)
    settings = getattr(state, path[0])
    assert getattr(settings, path[1]) == getattr(type(settings)(), path[1])
    (note,) = notes
    assert note.startswith(f"“{path[1]}” of ")
