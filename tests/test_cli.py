from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_spaceediting import __version__, cli
from napari_spaceediting.errors import JobFailed, MapFailed, TrainingFailed
from napari_spaceediting.session.history import describe_kept
from napari_spaceediting.session.storage import load_session, save_session


@pytest.fixture
def command(capsys, tmp_path):
    """Return a function that runs a command and returns its JSON."""

    def command(*arguments: object, code: int = 0) -> Any:
        capsys.readouterr()
        assert cli.main([*map(str, arguments), "--json", "-"]) == code
        out, err = capsys.readouterr()
        if code:
            assert out == ""
            assert len(err.strip().splitlines()) == 1, "one sentence"
            return err
        assert err.strip(), "what people read goes to the standard error"
        return json.loads(out, parse_constant=lambda name: pytest.fail(name))

    return command


@pytest.fixture(scope="module")
def images(tmp_path_factory, small_digits) -> Path:
    """Return a file with 300 digits and their classes."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    pixels = np.stack([small_digits.original(at) for at in range(300)])
    np.savez(path, images=pixels, labels=small_digits.columns["truth"])
    return path


@pytest.fixture
def folder(tmp_path: Path, trained_state) -> Path:
    """Return the folder of a session with a network and a map."""
    save_session(trained_state, tmp_path / "one.spaceediting")
    return tmp_path / "one.spaceediting"


@pytest.fixture
def edits(tmp_path: Path, trained_state) -> Path:
    dataset = trained_state.dataset
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    entries = [
        {"kind": "pin", "images": dataset.ids[free[:6]].tolist(), "tag": "3"},
        {"kind": "relabel", "images": dataset.ids[free[6:8]].tolist(), "tag": "new é"},
    ]
    path = tmp_path / "edits.json"
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path


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


def test_a_round_is_compared_and_repeated_as_asked(command, folder, edits, capsys):
    arms = ("placebo", "relabel", "automatic", "ceiling", "control", "placebo")
    done = command(
        "retrain", folder, "--edits", edits, "--steps", 2, "--repeats", 2,
        "--automatic", "--propagate", "--arms", *arms,
    )  # fmt: skip
    assert set(done["arms"]) == {"before", "after", *arms}
    assert set(done["over"]) == set(done["over_seeds"]) == {"before", *arms}
    assert done["seeds"] == 2
    assert "headroom_share" in done
    # What was chosen is kept for the next round.
    chosen = load_session(folder).retrain
    assert chosen.arms == arms[:-1]
    assert (chosen.repeats, chosen.automatic, chosen.propagate) == (2, True, True)

    assert cli.main(["evidence", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    others = ["relabel", "automatic", "placebo", "ceiling"]
    assert listed[:7] == ["before", "control", "after", *others]
    assert listed[-6:] == ["before", "control", *others]
    assert max(map(len, lines)) <= 79
    assert "over 2 repetitions:" in "\n".join(lines)

    assert command("roll-back", folder)["open_edits"] == 2
    again = command(
        "retrain", folder, "--steps", 2, "--no-automatic", "--repeats", 1,
        "--arms", "control",
    )  # fmt: skip
    assert set(again["arms"]) == {"before", "after", "control"}
    assert again["over_seeds"] == {}
    assert not load_session(folder).retrain.automatic
    assert load_session(folder).retrain.propagate


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
    assert cli.main([*map(str, order)]) == 0
    words = capsys.readouterr().out
    assert "Beware" in words
    assert str(ids[one]) in words


def test_edits_may_name_classes_in_any_script(command, folder, edits):
    done = command("retrain", folder, "--edits", edits, "--steps", 2)
    assert done["class_names"][-1] == "new é"
    assert load_session(folder).rounds[-1].after.class_names[-1] == "new é"


@pytest.mark.parametrize("method", ["dmt", "dfi"])
def test_images_are_moved_to_another_class(command, folder, tmp_path, method):
    state = load_session(folder)
    dataset = state.dataset
    threes = np.flatnonzero((dataset.columns["truth"] == 3) & dataset.held_out)[:2]
    ids = dataset.ids[threes].tolist()
    out = tmp_path / "out"
    done = command(
        "traverse", folder, "--images", *ids, ids[0], "--to", "8", "--out", out,
        "--method", method,
    )  # fmt: skip
    assert done["method"] == method
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


def test_images_are_moved_to_a_group_by_their_nearest(command, folder, tmp_path):
    dataset = load_session(folder).dataset
    three = dataset.ids[(dataset.columns["truth"] == 3) & dataset.held_out][:1]
    eights = dataset.ids[(dataset.labels == 8) & ~dataset.held_out]
    done = command(
        "traverse", folder, "--images", *three, "--to-images", *eights,
        "--neighbours", 6, "--layers", "trunk", "--features-alone",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done["layers"] == ["trunk"]
    assert done["images"][0]["neighbours"] == 6
    kept = load_session(folder).traversals[-1].outcome.read()
    assert kept.settings.preview_weight == 0
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


def test_a_sample_can_be_opened(command, tmp_path):
    made = command("new", "sample:digits", tmp_path / "one.spaceediting")
    assert made["images"] == 1797


def test_without_json_the_words_go_to_the_standard_output(capsys, folder):
    assert cli.main(["guide", str(folder), "-n", "2"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2
    assert "unlabelled images" in out


def test_json_can_go_to_a_file(capsys, folder, tmp_path):
    target = tmp_path / "out.json"
    assert cli.main(["guide", str(folder), "-n", "2", "--json", str(target)]) == 0
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
        (["retrain", "{folder}", "--edits", "{tmp}/object.json"], "no list of edits"),
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
    entries = cli._read_edits(edits, trained_session.dataset.ids)
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
        cli.main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_training_that_fails_exits_with_3(command, folder, edits):
    state = load_session(folder)
    wild = replace(state.retrain, learning_rate=1e30)
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

    monkeypatch.setattr(cli, "_run", fail)
    assert cli.main(["guide", str(folder)]) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_outcome_that_cannot_be_written_is_told(folder, tmp_path, capsys):
    target = tmp_path / "no" / "out.json"
    assert cli.main(["guide", str(folder), "--json", str(target)]) == 1
    assert "could not be written" in capsys.readouterr().err


def test_without_validation_images_no_accuracy_is_claimed(capsys, folder):
    state = load_session(folder)
    labels = np.where(state.dataset.split == 1, -1, state.checkpoint.labels)
    bare = replace(state, checkpoint=replace(state.checkpoint, labels=labels))
    save_session(bare, folder)
    assert cli.main(["train", str(folder), "--epochs", "1", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["validation_accuracy"] is None
    assert "nan" not in err.lower()
    assert not math.isnan(json.loads(out)["seconds"])


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_images_are_added_to_a_session(command, folder, images, tmp_path):
    with np.load(images) as arrays:
        some = {name: values[:12] for name, values in arrays.items()}
    np.savez(tmp_path / "later.npz", **some)
    done = command("add", folder, tmp_path / "later.npz", "--memory", "1GB")
    assert done == {"added": 12, "labelled": 12, "images": 312, "skipped": []}
    assert len(load_session(folder).checkpoint.map.coordinates) == 312
    again = command("add", folder, tmp_path / "later.npz", code=cli.UNUSABLE)
    assert "already" in again
    assert "amount" in command("map", folder, "--memory", "lots", code=cli.UNUSABLE)


def test_what_is_not_as_an_older_version_saved_it_is_told(command, version_1, capsys):
    assert cli.main(["evidence", str(version_1), "--round", "2"]) == cli.DONE
    assert "Edits that spared images are left out" in capsys.readouterr().out
    assert command("evidence", version_1)["status"] == "rolled back"
