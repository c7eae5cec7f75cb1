from __future__ import annotations

import numpy as np

from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.storage import load_session


def test_images_are_moved_to_another_class(command, folder, tmp_path):
    state = load_session(folder)
    dataset = state.dataset
    threes = np.flatnonzero((dataset.columns["truth"] == 3) & dataset.held_out)[:2]
    ids = dataset.ids[threes].tolist()
    out = tmp_path / "out"
    done = command(
        "traverse", folder, "--images", *ids, ids[0], "--to", "8", "--out", out
    )
    assert [entry["id"] for entry in done["images"]] == ids
    stack = np.load(out / done["stack"])
    assert stack.shape == (2, 1 + len(done["images"][0]["budgets"]), 1, 28, 28)
    np.testing.assert_array_equal(stack[:, 0], dataset.images(threes))
    for entry in done["images"]:
        assert (out / entry["picture"]).stat().st_size > 0
        seen = entry["probabilities"]["to"]
        assert len(seen) == stack.shape[1]
        assert seen[-1] > seen[0]
    # The fixture's classes have eight labels each.
    assert "only 8 images" in done["notes"][-1]
    after = load_session(folder)
    (kept,) = after.traversals
    assert describe_kept(kept, after) == "3 → 8, 2 images, start"
    np.testing.assert_array_equal(kept.outcome.read().images, stack)
    assert after.log == state.log


def test_images_are_moved_to_a_group(command, folder, tmp_path):
    dataset = load_session(folder).dataset
    three = dataset.ids[(dataset.columns["truth"] == 3) & dataset.held_out][:1]
    eights = dataset.ids[(dataset.labels == 8) & ~dataset.held_out]
    done = command(
        "traverse", folder, "--images", *three, "--to-images", *eights,
        "--layers", "trunk", "--regime", "mixtures",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done["layers"] == ["trunk"]
    kept = load_session(folder).traversals[-1].outcome.read()
    assert kept.settings.regime == kept.regime == "mixtures"
    assert done["images"][0]["to"] == "group of 8 (mostly 8)"
    assert set(np.ravel(done["images"][0]["nearest"])) <= set(eights)


def test_images_that_cannot_be_moved_are_told(command, folder, tmp_path):
    dataset = load_session(folder).dataset
    three = dataset.ids[(dataset.columns["truth"] == 3) & dataset.held_out][0]
    out = tmp_path / "out"
    for images, to, says in (
        (["no such"], "8", 'no image "no such"'),
        ([three], "cat", 'no class "cat"'),
        ([three], "3", "already"),
    ):
        error = command(
            "traverse", folder, "--images", *images, "--to", to, "--out", out, code=1
        )
        assert says in error
    error = command(
        "traverse", folder, "--images", three, "--to", "8", "--layers", "conv9",
        "--out", out, code=1,
    )  # fmt: skip
    assert 'no layer "conv9": choose from trunk' in error
    assert not out.exists()
