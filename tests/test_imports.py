"""What importing the package costs, and what imports what."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "umap", "napari", "qtpy")
# The window makes these, and a process of its own runs them.
JOBS = (
    "data.thumbnails",
    "editing.retrain",
    "network.jobs",
    "projection.layout",
    "traversal.export",
    "traversal.jobs",
)
ROOT = Path(__file__).parent.parent
LOADED = """
import sys
print(*sorted(set({names!r}) & set(sys.modules)))
"""


def run_python(code: str, cwd: Path) -> str:
    """Run `code` in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light(tmp_path: Path) -> None:
    code = "import napari_spaceediting" + LOADED.format(names=HEAVY)
    assert run_python(code, tmp_path) == ""


def test_discovering_the_plugin_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "from npe2 import PluginManifest\n"
        "manifest = PluginManifest.from_distribution('napari-spaceediting')\n"
        "assert manifest.contributions.widgets"
    )
    loaded = run_python(code + LOADED.format(names=("torch", "umap")), tmp_path)
    assert loaded == ""


def test_packages_import_what_stands_below_them() -> None:
    # The contracts stand in pyproject.toml.
    linter = shutil.which("lint-imports", path=Path(sys.executable).parent)
    assert linter is not None
    done = subprocess.run(
        [linter, "--no-cache"],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_jobs_can_be_made_without_torch_and_umap(tmp_path: Path) -> None:
    imports = "".join(f"import napari_spaceediting.{name}\n" for name in JOBS)
    assert run_python(imports + LOADED.format(names=HEAVY), tmp_path) == ""
