"""The files around the package agree with it."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

import napari_spaceediting

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "src" / "napari_spaceediting" / "napari.yaml"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_manifest_at_the_top_is_the_one_in_the_package() -> None:
    link = ROOT / "napari.yaml"
    # A checkout on Windows may hold the target's path in place of a link.
    if not link.is_symlink():
        assert (ROOT / link.read_text(encoding="utf-8").strip()) == MANIFEST
    else:
        assert link.resolve() == MANIFEST.resolve()


def test_version_has_one_source() -> None:
    assert version("napari-spaceediting") == napari_spaceediting.__version__
    assert not re.search(r"^version\s*=", read("pyproject.toml"), re.MULTILINE)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documented_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    documented = set(re.findall(r"\bmake ([a-z][a-z-]*)\b(?=[`\s])", commands(name)))
    assert documented <= targets


def commands(name: str) -> str:
    """Return the code of a Markdown document: fenced blocks and inline code."""
    text = read(name)
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", text)
    return "\n".join([*blocks, *inline]) + "\n"


def test_changelog_names_the_version() -> None:
    assert f"## [{napari_spaceediting.__version__}]" in read("CHANGELOG.md")


def test_citation_names_the_version() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == napari_spaceediting.__version__
    assert len(citation["references"]) == 3
