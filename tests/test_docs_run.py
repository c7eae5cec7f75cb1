"""What the pages tell to type runs, in the order in which a reader types it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_spaceediting.commands.main import main, make_parser
from napari_spaceediting.editing.answers import ProposalKind

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CLASSES = {"coat": 0, "shirt": 1, "dress": 2, "blurred": 8}
INSTALLS = {"pip", "python", "source", "sudo", "napari", "xvfb-run", "make", "git"}
"""What sets up a machine or opens a window; make's targets are checked elsewhere."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Return the language and the text of the code blocks of a page."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


PAGES = [
    page
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    if any(language in ("sh", "python", "json") for language, _ in blocks(page))
]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the images and the session that the pages speak of."""
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("material")
    bunch = load_digits()
    for name, digit in CLASSES.items():
        found = np.flatnonzero(bunch.target == digit)
        _write(folder / "my_images" / name, bunch.images[found[:40]])
        _write(folder / "my_images" / "unlabelled", bunch.images[found[40:65]])
        _write(folder / "new_images" / name, bunch.images[found[100:104]])
    for copy in ("garbage", "pets"):
        shutil.copytree(folder / "my_images", folder / copy)
    rng = np.random.default_rng(0)
    count = sum(1 for _ in (folder / "pets").rglob("*.png"))
    np.save(folder / "pets.npy", rng.normal(size=(count, 16)).astype(np.float32))
    means = rng.normal(scale=3, size=(2, 16))
    rows = [means[at % 2] + rng.normal(size=16) for at in range(120)]
    names = [("coat", "shirt")[at % 2] for at in range(120)]
    embedded = pd.DataFrame({"embedding": rows, "label": names})
    embedded.to_parquet(folder / "points.parquet")
    edit = {"kind": "pin", "images": ["unlabelled/0000.png"], "tag": "coat"}
    (folder / "edits.json").write_text(json.dumps([edit]), encoding="utf-8")
    cells = pd.DataFrame({"object": [1, 2], "prediction": ["mitosis", "rest"]})
    cells.to_csv(folder / "cells.csv")
    session = str(folder / "base.spaceediting")
    for words in (
        ["new", str(folder / "my_images"), session],
        ["train", session, "--epochs", "2"],
        ["map", session, "--method", "pca"],
        ["export", session, "--to", str(folder / "labels.csv")],
    ):
        assert main(words) == 0
    return folder


def _write(folder: Path, images: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    first = len(list(folder.iterdir()))
    for number, image in enumerate(images, first):
        pixels = Image.fromarray((image * 15).astype(np.uint8)).resize((16, 16))
        pixels.save(folder / f"{number:04}.png")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_tells_to_type_runs(page, material, tmp_path, monkeypatch):
    here = tmp_path / "here"
    shutil.copytree(material, here, ignore=shutil.ignore_patterns("*.spaceediting"))
    monkeypatch.chdir(here)
    monkeypatch.syspath_prepend(here)
    known = {"__name__": "page", **given(here)}
    for language, text in blocks(page):
        if language == "sh":
            for line in text.replace("\\\n", " ").splitlines():
                type_(shlex.split(line, comments=True), material / "base.spaceediting")
        elif language == "python":
            run_python(text, known)
        elif language == "json":
            read_json(text)


def given(here: Path) -> dict[str, Any]:
    """Return what a reader has who comes to a block of Python."""
    import torch

    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    return {
        "my_network": network,
        "segmentation": np.array([[0, 1], [2, 2]]),
        "pixels": np.zeros((2, 1, 16, 16), np.float32),
    }


def run_python(text: str, known: dict[str, Any]) -> None:
    """Run a block, or write it where its first line says that it belongs."""
    file = re.match(r"# (\w+\.py)\n", text)
    for module in re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE):
        if module != "napari_spaceediting" and not _has(module):
            return
    if file:
        Path(file[1]).write_text(text, encoding="utf-8")
    if "torch.export.load" in text:
        known = {**known, "pixels": __import__("torch").zeros(2, 1, 16, 16)}
    exec(compile(text, "page", "exec"), known)


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    page = ROOT / "docs" / "tutorials" / "python.ipynb"
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
            assert cell["outputs"] or cell is cells[1], "as it was executed"
    verdict = names["evidence"].verdict()
    assert "better than the training without edits" in verdict
    assert len(names["labels"]) == 1797


def read_json(text: str) -> None:
    """Keep a list of edits as the file that it is; look at everything else."""
    if text.lstrip().startswith("["):
        json.loads(text)
        Path("edits.json").write_text(text, encoding="utf-8")
        return
    for line in text.splitlines():
        entry = json.loads(line)
        ProposalKind(entry["kind"])
        assert entry.keys() & {"answer", "class"}


def type_(words: list[str], session: Path) -> None:
    """Do what a reader does who types a line."""
    while words and re.fullmatch(r"\w+=\S*", words[0]):
        words = words[1:]
    if not words or words[0] in INSTALLS:
        check_extras(words)
        return
    for word in words:
        path = Path(word)
        if path.suffix == ".spaceediting" and "new" not in words and not path.exists():
            shutil.copytree(session, path)
    if words[0] == "napari-spaceediting":
        options = make_parser().parse_args(words[1:])
        is_window = words[1] == "open" or (words[1] == "demo" and not options.headless)
        if not is_window and "pretrained" not in words:
            assert main(words[1:]) == 0, words
    elif words[0] == "torchrun":
        at = words.index("napari_spaceediting")
        assert make_parser().parse_args(words[at + 1 :]).is_shared
        if "--nnodes" not in words and _has("lightning_fabric"):
            launch(words[1:])
    else:
        pytest.fail(f"nobody knows how to try {words[0]}")


def launch(words: list[str]) -> None:
    """Do what torchrun does, in one process: tests of processes have several."""
    words[words.index("--nproc-per-node") + 1] = "1"
    source = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def check_extras(words: list[str]) -> None:
    """Check that what is installed by extras has them."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    for word in words:
        for names in re.findall(r"(?:napari-spaceediting|\.)\[([\w,]+)\]", word):
            assert set(names.split(",")) <= set(extras)
