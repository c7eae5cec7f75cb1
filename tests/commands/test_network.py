from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np

from napari_spaceediting.commands.main import main
from napari_spaceediting.session.storage import load_session, save_session


def test_without_validation_images_no_accuracy_is_claimed(capsys, folder):
    state = load_session(folder)
    labels = np.where(state.dataset.split == 1, -1, state.checkpoint.labels)
    bare = replace(state, checkpoint=replace(state.checkpoint, labels=labels))
    save_session(bare, folder)
    assert main(["train", str(folder), "--epochs", "1", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] is None
    assert "nan" not in err.lower()
    assert not math.isnan(json.loads(out)["seconds"])


def test_a_network_that_sees_the_mirror_image_stays_one(command, folder):
    command("train", folder, "--mirror", "--trainable", "head")
    assert load_session(folder).checkpoint.network.spec.mirror
    assert command("extract", folder)["computed"] == 0
