"""Sessions that another version saved."""

from __future__ import annotations

import shutil

from napari_spaceediting.session.versions import VERSION


def test_what_is_left_out_of_an_older_session_is_told_once(
    make_window, version_1, tmp_path, messages
):
    folder = shutil.copytree(version_1, tmp_path / "old.spaceediting")
    window = make_window()
    window.open(folder)
    assert len(window.session.state.log.done) == 8
    assert window.state.has_map
    (message,) = messages
    assert "Edits that spared images are left out" in message
    assert "“objective” of the next round" in message
    messages.clear()
    window.session.redo()
    window.wait(
        lambda: f'"version": {VERSION}' in (folder / "session.json").read_text()
    )
    window.open(folder)
    assert len(window.session.state.log.done) == 9
    assert messages == []
