"""What every test starts from: folders of its own, one thread, a working OpenGL."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import wraps
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

GUI_FIXTURES = {"make_napari_viewer", "make_napari_viewer_proxy", "qapp", "qtbot"}


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from the user's caches and napari settings."""
    folder = Path(tempfile.mkdtemp(prefix="spaceediting-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    environment = pytest.MonkeyPatch()
    config.add_cleanup(environment.undo)
    # The second is platformdirs' name for the same on Windows.
    for name in "XDG_CACHE_HOME", "WIN_PD_OVERRIDE_LOCAL_APPDATA":
        environment.setenv(name, str(folder / "cache"))
    environment.setenv("NAPARI_CONFIG", str(folder / "napari" / "settings.yaml"))


def pytest_report_header() -> str:
    """Name the versions that a result depends on."""
    found = []
    for name in "numpy", "torch", "umap-learn", "napari", "PyQt6", "PySide6":
        try:
            found.append(f"{name}-{version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return "versions: " + ", ".join(found)


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Give torch one thread, where it is in use: the arrays are small."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _safe_layer_removal(request: pytest.FixtureRequest) -> None:
    """Apply `_current_context` to the tests that may open a window."""
    if GUI_FIXTURES.intersection(request.fixturenames):
        request.getfixturevalue("_current_context")


@pytest.fixture(scope="session")
def _current_context() -> Iterator[None]:
    """Make the canvas's OpenGL context current before napari cleans it.

    On removal of a layer, napari 0.9 lets vispy delete programs and buffers in
    whichever context is current. Mesa before 25 then crashes at the next draw.
    """
    try:
        from napari._vispy.canvas import VispyCanvas

        original = VispyCanvas._clean_and_update_scenegraph
    except (ImportError, AttributeError):
        # No napari, or one that cleans in another way.
        yield
        return

    @wraps(original)
    def clean(self: Any) -> None:
        make_current = getattr(self._scene_canvas.native, "makeCurrent", None)
        if make_current is not None:
            make_current()
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VispyCanvas, "_clean_and_update_scenegraph", clean)
        yield
