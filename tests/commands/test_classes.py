"""Classes are listed and changed, and images rejected, from the terminal."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.session.storage import load_session, save_session


def test_classes_are_changed_as_in_the_window(command, folder, capsys):
    held_out = load_session(folder).dataset.held_out
    done = command(
        "classes", folder, "--rename", "1", "one", "--rename", "2", "two",
        "--merge", "round", "0", "8", "--delete", "9", "--above", "one", "straight",
        "--colour", "one", "#ff0000", "--key", "one", "Q", "--order", "one",
        "--author", "Ada",
    )  # fmt: skip
    names = [one["name"] for one in done["classes"]]
    assert names == ["one", "round", "two", "3", "4", "5", "6", "7"]
    assert done["classes"][0] == {
        "name": "one", "above": "straight", "key": "Q", "colour": "#ff0000",
        "training": 8, "held_out": done["classes"][0]["held_out"],
    }  # fmt: skip
    assert done["classes"][1]["training"] == 16
    log = load_session(folder).log.done
    assert {edit.author for edit in log} == {"Ada"}
    # The terminal tells people the same.
    again = command("classes", folder)
    assert again == done
    assert np.count_nonzero(held_out)


def test_images_are_rejected_and_restored(command, folder):
    ids = load_session(folder).dataset.ids
    done = command("classes", folder, "--reject", *ids[:3], "--reject-class", "7")
    assert done["rejected"] > 8
    done = command("classes", folder, "--restore", ids[0])
    assert done["rejected"] > 7


def test_what_cannot_be_is_refused_and_nothing_is_changed(command, folder):
    said = command("classes", folder, "--delete", "1", "--delete", "bird", code=1)
    assert 'no class "bird"' in said
    assert not load_session(folder).log.done
    said = command("classes", folder, "--reject", "nobody", code=1)
    assert "not in the data set" in said


def test_sessions_of_two_people_are_merged(
    command, folder, edits, tmp_path, trained_state
):
    other = tmp_path / "other.spaceediting"
    save_session(trained_state, other)
    command("classes", folder, "--rename", "1", "one", "--author", "Ada")
    command(
        "classes", other, "--reject", *trained_state.dataset.ids[:2], "--author", "Ben"
    )
    done = command("merge", folder, other)
    assert (done["taken"], done["known"], done["notes"]) == (1, 0, [])
    assert command("merge", folder, other)["taken"] == 0
    assert command("agreement", folder) == []
    authors = [edit.author for edit in load_session(folder).log.done]
    assert authors == ["Ada", "Ben"]
