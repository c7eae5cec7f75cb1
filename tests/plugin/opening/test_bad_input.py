"""What cannot be opened is told in one message, and costs nothing that is open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from napari_spaceediting.network.trust import is_trusted


def write_images(folder: Path, count: int, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        pixels = rng.integers(0, 255, (28, 28), np.uint8)
        imsave(folder / f"{number}.png", pixels, check_contrast=False)


def empty_folder(root: Path) -> Path:
    folder = root / "empty"
    folder.mkdir()
    return folder


def one_class(root: Path) -> Path:
    write_images(root / "images" / "only", 5)
    return root / "images"


def only_nan(root: Path) -> Path:
    np.save(root / "nan.npy", np.full((6, 8, 8), np.nan, np.float32))
    return root / "nan.npy"


def wrong_labels(root: Path) -> Path:
    images = np.zeros((6, 8, 8), np.uint8)
    np.savez(root / "wrong.npz", images=images, labels=np.arange(4))
    return root / "wrong.npz"


def missing_files(root: Path) -> Path:
    rows = "\n".join(f"gone-{number}.png,a" for number in range(4))
    (root / "table.csv").write_text(f"path,label\n{rows}\n")
    return root / "table.csv"


def no_image(root: Path) -> Path:
    (root / "notes.txt").write_text("nothing to see")
    return root / "notes.txt"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (empty_folder, "empty"),
        (one_class, "class"),
        (only_nan, "NaN"),
        (wrong_labels, "labels"),
        (missing_files, "gone-0.png"),
        (no_image, "notes.txt"),
    ],
)
def test_one_message_and_nothing_is_lost(window, messages, tmp_path, make, says):
    window.click(window.of_image(window.loners(window.movable)[0]))
    session, state = window.state.session, window.session.state
    window.bench.opening.open_path(make(tmp_path))
    window.wait(lambda: messages)
    window.wait_idle()
    (message,) = messages
    assert says in message
    assert "\n" not in message
    assert window.state.session is session
    assert window.session.state is state
    assert len(window.state.selected) == 1
    assert message in window.editor.job_bar._message.text()
    assert window.panels.data.folder_button.isEnabled()


@pytest.mark.parametrize("agrees", [True, False])
def test_code_that_a_session_names_is_asked_about(
    window, saved, tmp_path, answer_with, agrees
):
    backbone = f"from_{agrees}:elsewhere"
    other = shutil.copytree(saved, tmp_path / "other.spaceediting")
    index = json.loads((other / "session.json").read_text())
    index["checkpoint"]["network"]["spec"]["backbone"] = backbone
    (other / "session.json").write_text(json.dumps(index))
    asked = answer_with(agrees)
    window.open(other)
    window.wait(lambda: asked)
    assert backbone in asked[0]
    assert is_trusted(backbone) == agrees
    assert window.map is not None, "it can be looked at all the same"
    window.open(saved)
    window.open(other)
    assert len(asked) == (1 if agrees else 2)


def newer(folder: Path) -> None:
    index = json.loads((folder / "session.json").read_text())
    index["version"] = 999
    (folder / "session.json").write_text(json.dumps(index))


def damaged(folder: Path) -> None:
    for array in (folder / "arrays").glob("*.npy"):
        array.write_bytes(b"not an array")


def no_session(folder: Path) -> None:
    (folder / "session.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(newer, "newer version"), (damaged, "damaged"), (no_session, "not a saved")],
)
def test_a_session_that_cannot_be_read(window, messages, tmp_path, saved, spoil, says):
    session, path = window.state.session, window.state.path
    copy = tmp_path / "copy.spaceediting"
    shutil.copytree(saved, copy)
    spoil(copy)
    window.bench.opening.open_session(copy)
    window.wait(lambda: messages)
    (message,) = messages
    assert says in message
    assert window.state.session is session
    assert window.state.path == path
    window.click(window.of_image(window.loners(window.movable)[0]))
    assert len(window.state.selected) == 1


def test_a_session_cannot_be_saved_there(window, messages, tmp_path):
    (tmp_path / "file").write_text("")
    path = window.state.path
    window.bench.saving.save_to(tmp_path / "file" / "x.spaceediting")
    window.wait(lambda: messages)
    assert len(messages) == 1
    assert window.state.path == path
    # The next wish to save is heard.
    window.bench.saving.save_to(tmp_path / "good.spaceediting")
    window.wait(lambda: window.state.path == tmp_path / "good.spaceediting")


def test_a_corrupt_image_among_good_ones_is_counted(make_window, messages, tmp_path):
    window = make_window()
    for number, name in enumerate("ab"):
        write_images(tmp_path / "images" / name, 8, seed=number)
    (tmp_path / "images" / "a" / "3.png").write_bytes(b"no picture")
    window.bench.opening.open_path(tmp_path / "images")
    window.wait(lambda: window.state.session is not None)
    window.bench.state.cancel()
    window.wait_idle()
    assert len(window.session.dataset) == 15
    panel = window.panels.data
    assert "Left out 1, such as a/3.png (" in panel._note.text()
    assert "3.png" in panel._skipped.item(0).text()
    assert not messages


def test_saves_come_one_after_the_other(window, tmp_path):
    """A wish to save while it goes on is done afterwards, and nothing is mixed up."""
    from napari_spaceediting.editing.image_edits import Pin
    from napari_spaceediting.session.storage import load_session

    folder = tmp_path / "here.spaceediting"
    for number in range(4):
        window.bench.map.naming.apply(Pin(window.movable[number : number + 1], "3"))
        window.bench.saving.save_to(folder)
    window.wait(lambda: window.bench.saving._saved is window.session.state)
    assert len(load_session(folder).log.done) == 4
