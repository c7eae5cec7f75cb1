"""The case studies run, and their pages and pictures belong together."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "case-studies"
SCRIPT = ROOT / "benchmarks" / "case_studies.py"
STUDIES = sorted(page.stem for page in PAGES.glob("*.md"))


def draw_characters(folder: Path) -> None:
    """Draw crosses, rings, bars and dots, each a class of 60 grey images."""
    rng = np.random.default_rng(0)
    for name in ("bar", "cross", "dot", "ring"):
        (folder / name).mkdir(parents=True)
        for number in range(60):
            image = Image.new("L", (28, 28))
            pen = ImageDraw.Draw(image)
            x, y = rng.integers(8, 20, 2).tolist()
            if name in ("bar", "cross"):
                pen.line((x - 7, y, x + 7, y), 255, 3)
            if name == "cross":
                pen.line((x, y - 7, x, y + 7), 255, 3)
            if name in ("dot", "ring"):
                size = 2 if name == "dot" else 7
                pen.ellipse(
                    (x - size, y - size, x + size, y + size), outline=255, width=2
                )
            noisy = np.array(image) * 0.7 + rng.integers(0, 70, (28, 28))
            Image.fromarray(noisy.astype(np.uint8)).save(
                folder / name / f"{number}.png"
            )


def test_a_quick_study_names_groups_and_writes_no_page(tmp_path: Path) -> None:
    draw_characters(tmp_path / "oracle_mnist")
    before = {path: path.stat().st_mtime_ns for path in PAGES.rglob("*")}
    out = tmp_path / "figures.json"
    options = ("--quick", "--data", tmp_path, "--work", tmp_path, "--json", out)
    command = [sys.executable, str(SCRIPT), "oracle", *map(str, options)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (run,) = json.loads(out.read_text())["runs"]
    assert run["images named"] > 20
    assert run["named right, %"] > 80
    assert run["round 3: program"] > 50  # of four classes
    assert {path: path.stat().st_mtime_ns for path in PAGES.rglob("*")} == before


@pytest.mark.parametrize("name", STUDIES)
def test_page_is_short_and_shows_small_pictures(name: str) -> None:
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert 2 <= len(pictures) <= 5
    assert all((PAGES / one).stat().st_size < 200_000 for one in pictures)
    assert len(re.findall(r"\b[A-Za-z][\w'-]*", text.split("## Remake")[0])) < 800
    assert f"case_studies.py {name}" in text


def test_every_picture_is_shown() -> None:
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))
    kept = [path.name for path in (PAGES / "pictures").iterdir()]
    assert [name for name in kept if name not in shown] == []
