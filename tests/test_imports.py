"""What importing the package costs, and what its core can do without."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = ("torch", "umap", "napari", "qtpy")
# The window makes these, and a process of its own runs them.
JOBS = ("data.thumbnails", "editing.retrain", "network.jobs", "projection.layout")
GUI = ("napari", "qtpy", "superqt", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6")

LOADED = """
import sys
print(*sorted(set({names!r}) & set(sys.modules)))
"""

CORE_WITHOUT_GUI = """
import importlib, pkgutil, sys, traceback

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocked())
import napari_spaceediting as package

seen, failed = 0, 0

def on_error(name):
    global failed
    failed += 1
    traceback.print_exc()

for module in pkgutil.walk_packages(package.__path__, "napari_spaceediting.", on_error):
    if module.name.split(".")[1] == "plugin" or module.name.endswith("__main__"):
        continue
    seen += 1
    try:
        importlib.import_module(module.name)
    except Exception:
        on_error(module.name)
assert seen > 5, "the package was not found"
sys.exit(failed > 0)
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


def test_the_core_needs_neither_napari_nor_qt(tmp_path: Path) -> None:
    run_python(CORE_WITHOUT_GUI.format(names=GUI), tmp_path)


def test_jobs_can_be_made_without_torch_and_umap(tmp_path: Path) -> None:
    imports = "".join(f"import napari_spaceediting.{name}\n" for name in JOBS)
    assert run_python(imports + LOADED.format(names=HEAVY), tmp_path) == ""
