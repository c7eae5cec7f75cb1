"""What every test starts from: folders of its own, one thread, a working OpenGL."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import wraps
from importlib.metadata import (
    Distribution,
    EntryPoint,
    PackageNotFoundError,
    version,
)
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from napari_spaceediting.data.dataset import ImageDataset
    from napari_spaceediting.session.session import Session
    from napari_spaceediting.session.state import SessionState

# PySide6 6.12 gives a reference to None away at each call that returns nothing. From
# Python 3.12 on that does no harm; before, None is deallocated when the last is gone,
# and the process ends. Some tests take a million: so many that they last for all tests.
if sys.version_info < (3, 12):
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40

GUI_FIXTURES = {"make_napari_viewer", "make_napari_viewer_proxy", "qapp", "qtbot"}


# Keeps the tests away from the user's caches and napari settings. At once: the conftest
# of the window imports napari, which asks for its variable then and never again.
FOLDER = Path(tempfile.mkdtemp(prefix="spaceediting-tests-"))
os.environ |= {
    "XDG_CACHE_HOME": str(FOLDER / "cache"),
    # platformdirs' name for the same on Windows.
    "WIN_PD_OVERRIDE_LOCAL_APPDATA": str(FOLDER / "cache"),
    "SPACEEDITING_CONFIG": str(FOLDER / "config"),
    # None is read or saved: napari would save all at every change of one.
    "NAPARI_CONFIG": "",
}


def pytest_configure(config: pytest.Config) -> None:
    """Leave no folder behind."""
    config.add_cleanup(lambda: shutil.rmtree(FOLDER, ignore_errors=True))


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


@pytest.fixture(scope="session", autouse=True)
def _plugins_are_read_once() -> Iterator[None]:
    """Have each napari window find the manifests that the first one has read."""
    from npe2 import PluginManifest

    read, found = PluginManifest._from_entrypoint, {}

    def find(entry: EntryPoint, distribution: Distribution) -> PluginManifest:
        # Each window meets the same distributions as other objects.
        if entry not in found:
            found[entry] = read(entry, distribution)
        return found[entry]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "_from_entrypoint", staticmethod(find))
        yield


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


@pytest.fixture(scope="session")
def small_digits() -> ImageDataset:
    """Return 300 digits, of whose training images 8 of each class have a label."""
    import numpy as np

    from napari_spaceediting.data.samples import digits

    rng = np.random.default_rng(0)
    everything = digits()
    some = everything.subset(np.sort(rng.choice(len(everything), 300, replace=False)))
    return some.keep_labels(8, rng)


@pytest.fixture(autouse=True)
def caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give each test caches of its own; return their folder."""
    from napari_spaceediting.data.cache import VARIABLE

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def trained_state(small_digits: ImageDataset) -> SessionState:
    """Return a session on `small_digits` with a network and a linear map."""
    import torch

    from napari_spaceediting.editing.settings import RetrainSettings
    from napari_spaceediting.jobs.job import run_job
    from napari_spaceediting.network.spec import TrainSettings
    from napari_spaceediting.projection.settings import MapSettings
    from napari_spaceediting.session.session import new_session

    torch.set_num_threads(1)
    session = new_session(
        small_digits,
        train=TrainSettings(epochs=4, device="cpu"),
        map_settings=MapSettings(method="pca"),
        retrain=RetrainSettings(steps=20, batch_size=32, device="cpu"),
    )
    session.take_network(run_job(session.training()))
    session.take_map(run_job(session.mapping()))
    return session.state


@pytest.fixture
def trained_session(trained_state: SessionState) -> Session:
    """Return a session of its own in the state `trained_state`."""
    from napari_spaceediting.session.session import Session

    return Session(trained_state)


@pytest.fixture(scope="session")
def version_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a session of version 1, only to read: see its tests."""
    folder = tmp_path_factory.mktemp("sessions")
    kept = Path(__file__).parent / "session" / "version_1.tar.xz"
    with tarfile.open(kept) as archive:
        archive.extractall(folder, filter="data")
    return folder / "version_1.spaceediting"


@pytest.fixture(scope="session")
def own_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of 2,000 images in files, 300 of which have a label."""
    import numpy as np
    import pandas as pd
    from PIL import Image
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("own")
    digits, rng = load_digits(), np.random.default_rng(0)
    at, names = rng.choice(len(digits.images), 2000), []
    for number, pixels in enumerate(digits.images[at]):
        names.append(f"{number:04}.png")
        grey = (pixels * 15 + rng.integers(0, 10, pixels.shape)).astype(np.uint8)
        Image.fromarray(grey).save(folder / names[-1])
    labels = [str(digits.target[i]) for i in at[:300]] + [""] * 1700
    pd.DataFrame({"path": names, "label": labels}).to_csv(
        folder / "own.csv", index=False
    )
    return folder / "own.csv"


@pytest.fixture(scope="session")
def check_labels_came_out() -> Callable[[Path, set[str]], None]:
    """Return what looks into a table of `own_images`, of which some were edited."""
    import numpy as np
    import pandas as pd

    def check(path: Path, edited: set[str]) -> None:
        table = pd.read_csv(path, dtype={"label": str}, keep_default_na=False)
        assert len(table) == 2000
        assert set(table.loc[table["edited"] != "", "id"]) == edited
        is_other = table["label"] != table["label_as_opened"]
        assert is_other.any()
        assert set(table.loc[is_other, "id"]) <= edited
        assert (table["prediction"] != "").all()
        said = table.filter(like="probability_").to_numpy()
        np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-3)

    return check
