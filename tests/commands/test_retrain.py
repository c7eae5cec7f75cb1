from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from napari_spaceediting.commands.main import main
from napari_spaceediting.session.storage import load_session, save_session


def test_a_round_is_compared_and_repeated_as_asked(command, folder, edits, capsys):
    state = load_session(folder)
    by_steps = replace(state.retrain, trainable="last_block")
    save_session(replace(state, retrain=by_steps), folder)
    arms = (
        "placebo", "relabel", "rival", "automatic", "ceiling", "control", "placebo"
    )  # fmt: skip
    done = command(
        "retrain", folder, "--edits", edits, "--steps", 2, "--repeats", 2,
        "--arms", *arms,
    )  # fmt: skip
    assert set(done["arms"]) == {"before", "after", *arms}
    assert set(done["over"]) == {"before", *arms}
    assert done["seeds"] == 2
    assert "headroom_share" in done
    # What was chosen is kept for the next round.
    chosen = load_session(folder).retrain
    assert chosen.arms == arms[:-1]
    assert chosen.repeats == 2

    assert main(["evidence", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    others = ["relabel", "rival", "automatic", "placebo", "ceiling"]
    assert listed[:8] == ["before", "control", "after", *others]
    assert listed[-7:] == ["before", "control", *others]
    assert max(map(len, lines)) <= 79
    told = lines[lines.index("Log-loss, and the error of calibration:") + 3]
    after = done["arms"]["after"]
    assert told.split() == [
        "after", f"{after['log_loss']:.3f}", f"{after['calibration']:.1%}"
    ]  # fmt: skip
    assert "over 2 repetitions:" in "\n".join(lines)

    assert command("roll-back", folder)["open_edits"] == 2
    again = command(
        "retrain", folder, "--steps", 2, "--repeats", 1, "--arms", "control"
    )
    assert set(again["arms"]) == {"before", "after", "control"}
    assert again["seeds"] == 1
    assert (done["looks"], again["looks"]) == (1, 2)


def test_edits_that_contradict_each_other_are_told(tmp_path, trained_state, capsys):
    network = trained_state.checkpoint.network
    one, other = np.flatnonzero(~trained_state.dataset.held_out)[:2]
    latents = network.predictions.latents.copy()
    latents[other] = latents[one]
    predictions = replace(network.predictions, latents=latents)
    checkpoint = replace(
        trained_state.checkpoint, network=replace(network, predictions=predictions)
    )
    folder = tmp_path / "twins.spaceediting"
    save_session(replace(trained_state, checkpoint=checkpoint), folder)
    ids = trained_state.dataset.ids
    edits = tmp_path / "twins.json"
    edits.write_text(
        json.dumps(
            [
                {"kind": "pin", "images": [str(ids[at])], "tag": tag}
                for at, tag in ((one, "3"), (other, "8"))
            ]
        )
    )
    order = "retrain", folder, "--edits", edits, "--steps", 2, "--arms"
    assert main([*map(str, order)]) == 0
    words = capsys.readouterr().out
    assert "Beware" in words
    assert str(ids[one]) in words


def test_edits_may_name_classes_in_any_script(command, folder, edits):
    done = command("retrain", folder, "--edits", edits, "--steps", 2)
    assert done["class_names"][-1] == "new é"
    assert load_session(folder).rounds[-1].after.class_names[-1] == "new é"


def test_edits_may_give_shares_to_several_classes(command, folder, tmp_path, capsys):
    ids = load_session(folder).dataset.ids
    held_out = np.flatnonzero(load_session(folder).dataset.held_out)[0]
    names = load_session(folder).dataset.class_names
    edit = {
        "kind": "relabel",
        "images": [ids[held_out]],
        "tag": names[0],
        "also": {names[1]: 0.4},
    }
    path = tmp_path / "soft.json"
    path.write_text(json.dumps([edit]))
    command("retrain", folder, "--edits", path, "--arms")
    soft = load_session(folder).rounds[0].after.soft_labels
    assert soft[held_out, :2].tolist() == [np.float32(0.6), np.float32(0.4)]
    command("roll-back", folder)
    path.write_text(json.dumps([edit | {"also": {names[1]: 0.7}}]))
    assert main(["retrain", str(folder), "--edits", str(path)]) == 1
    assert "no shares of images" in capsys.readouterr().err


def test_answers_to_what_guide_has_written_go_back_in(command, folder, tmp_path):
    proposals = command("guide", folder, "-n", 3)
    assert [proposal["answer"] for proposal in proposals] == [None] * 3
    proposals[0]["answer"] = "yes"
    proposals[1]["class"] = "5"
    path = tmp_path / "proposals.json"
    path.write_text(json.dumps(proposals))
    done = command("retrain", folder, "--answers", path, "--arms")
    named = {name for one in proposals[:2] for name in one["images"]}
    assert set(done["edited"]) == named
    assert len(load_session(folder).answers) == 2
