"""The whole loop on a machine that has neither napari nor Qt."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

GUI = ("napari", "qtpy", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6")

BLOCKED = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {GUI!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
from napari_spaceediting.commands.main import main
"""

# A fifth of the digits: the same demonstration in a few seconds.
SMALL_DEMO = """
import numpy as np
from napari_spaceediting.commands import demonstration

def some_digits(labels_per_class, seed, digits=demonstration.digits):
    return digits(labels_per_class, seed).subset(np.arange(0, 1797, 5))

demonstration.digits = some_digits
sys.exit(main(sys.argv[1:]))
"""


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_whole_loop_needs_no_window(tmp_path: Path) -> None:
    picture = tmp_path / "demo.png"
    done = run(
        SMALL_DEMO, "demo", "--headless", "--picture", picture, "--json", "-",
        "--seed", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert {
        "dataset", "images", "seed", "edits", "before", "after", "control", "seconds",
        "verdict", "actions", "edited_images", "labels_per_class", "measured_images",
    } <= values.keys()  # fmt: skip
    assert values["dataset"] == "Digits"
    assert values["images"] == 360
    assert values["seed"] == 3
    assert values["edits"] == values["actions"] > 0
    assert values["edited_images"] >= values["actions"]
    for arm in ("before", "after", "control"):
        assert 0.2 < values[arm] <= 1
    assert set(values["seconds"]) == {"train", "map", "guide", "retrain"}
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "Accuracy on" in done.stderr, "what people read goes elsewhere"


def test_what_needs_a_window_says_what_to_install(tmp_path: Path) -> None:
    for arguments in (("demo",), ("open", tmp_path)):
        done = run("sys.exit(main(sys.argv[1:]))", *arguments)
        assert done.returncode == 1
        assert "pip install napari-spaceediting[all]" in done.stderr
        assert "Traceback" not in done.stderr
