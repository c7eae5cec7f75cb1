from __future__ import annotations

import numpy as np

from napari_spaceediting.commands.main import UNUSABLE
from napari_spaceediting.session.storage import load_session


def test_a_sample_can_be_opened(command, tmp_path):
    made = command("new", "sample:digits", tmp_path / "one.spaceediting")
    assert made["images"] == 1797


def test_images_are_added_to_a_session(command, folder, images, tmp_path):
    with np.load(images) as arrays:
        some = {name: values[:12] for name, values in arrays.items()}
    np.savez(tmp_path / "later.npz", **some)
    done = command("add", folder, tmp_path / "later.npz", "--memory", "1GB")
    assert done == {"added": 12, "labelled": 12, "images": 312, "skipped": []}
    assert len(load_session(folder).checkpoint.map.coordinates) == 312
    again = command("add", folder, tmp_path / "later.npz", code=UNUSABLE)
    assert "already" in again
    assert "amount" in command("map", folder, "--memory", "lots", code=UNUSABLE)
