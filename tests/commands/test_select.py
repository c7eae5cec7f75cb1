"""Images are selected and saved from the terminal."""

from __future__ import annotations

import numpy as np
from PIL import Image

from napari_spaceediting.session.people import selections
from napari_spaceediting.session.storage import load_session


def test_images_are_listed_by_a_condition_and_saved(command, folder):
    state = load_session(folder)
    done = command("select", folder, 'split == "test" and map_x > 0', "--save", "far")
    assert 0 < len(done["images"]) < len(state.dataset)
    at = selections(load_session(folder))["far"]
    assert state.dataset.ids[at].tolist() == done["images"]
    again = command("select", folder, "selection_far", "-n", 3)
    assert again["images"] == done["images"][:3]


def test_images_like_a_file_come_with_their_distances(command, folder, tmp_path):
    state = load_session(folder)
    pixels = state.dataset.original(17)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "one.png")
    done = command("select", folder, "--like", tmp_path / "one.png", "-n", 5)
    assert done["images"][0] == state.dataset.ids[17]
    assert done["distances"][0] < done["distances"][4]
    assert np.all(np.diff(done["distances"]) >= 0)
    both = command(
        "select", folder, 'split == "train"', "--like", tmp_path / "one.png", "-n", 5
    )
    assert both["images"] != done["images"]


def test_what_cannot_be_is_told_in_a_sentence(command, folder, tmp_path):
    assert "give a condition" in command("select", folder, code=1)
    assert "no column" in command("select", folder, "plate == 3", code=1)
    missing = command("select", folder, "--like", tmp_path / "no.png", code=1)
    assert "is no image" in missing
