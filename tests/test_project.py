"""The files around the package agree with it."""

from __future__ import annotations

import re
import tomllib
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


def test_recipe_needs_what_the_package_needs() -> None:
    recipe = read("recipe/recipe.yaml")
    assert f'version: "{napari_spaceediting.__version__}"' in recipe
    project = tomllib.loads(read("pyproject.toml"))["project"]
    needed = {
        name.replace("torch", "pytorch") if name.startswith("torch>") else name
        for name in project["dependencies"]
    }
    listed = recipe.partition("  run:\n")[2].partition("\n\n")[0]
    found = {line.strip("- ").replace(" ", "") for line in listed.splitlines()[1:]}
    assert found == needed
    assert f'python_min: "{project["requires-python"].removeprefix(">=")}"' in recipe


def test_versions_of_python_that_are_named_are_tried() -> None:
    named = re.findall(r"Python :: (3\.\d+)", read("pyproject.toml"))
    tried = re.search(r"python: \[(.+)\]", read(".github/workflows/test.yml"))
    assert tried is not None
    assert named == re.findall(r'"(3\.\d+)"', tried[1])
