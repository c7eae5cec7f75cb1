"""The folders that this program keeps files in for a user: caches, and what it knows.

Where nothing can be written into one of them, such as in a home on a full or read-only
disk, a temporary folder takes its place, for this process and those that it starts.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_config_path

from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.memory import environment

VARIABLE, CONFIG = "SPACEEDITING_CACHE", "SPACEEDITING_CONFIG"
"""Variables of the environment that name other folders than the user's own ones: of
caches, and of what is remembered."""

_NUMBA = "NUMBA_CACHE_DIR"
_APP = "napari-spaceediting"


def cache_dir(say: Callable[[str], object] = warnings.warn) -> Path:
    """Return the folder where caches of this program are kept.

    Parameters
    ----------
    say : callable
        Takes a sentence for the user, at the first call at which nothing can be
        written there.

    Raises
    ------
    SpaceEditingError
        If there is no temporary folder either.
    """
    folder = _writable(VARIABLE, user_cache_path(_APP), "Caches are", say)
    _spare_numba(folder)
    return folder


def config_dir(say: Callable[[str], object] = warnings.warn) -> Path:
    """Return the folder for what is remembered for a user; as `cache_dir`."""
    return _writable(CONFIG, user_config_path(_APP), "What you trust is", say)


@contextmanager
def caching_in(folder: Path | None) -> Iterator[None]:
    """Let what is done inside keep its caches in a folder; None changes nothing."""
    if folder is None:
        yield
        return
    with environment(VARIABLE, str(folder.absolute())):
        yield


def _writable(
    variable: str, usual: Path, what: str, say: Callable[[str], object]
) -> Path:
    folder = Path(os.environ.get(variable) or usual)
    problem = _problem(folder)
    if problem is None:
        return folder
    try:
        os.environ[variable] = temporary = tempfile.mkdtemp(prefix=f"{_APP}-")
    except OSError:
        raise SpaceEditingError(
            f"Nothing can be written into {folder} ({problem}), nor into a temporary "
            f"folder: name one that can be written to in the variable {variable}."
        ) from None
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    say(
        f"Nothing can be written into {folder} ({problem}). {what} kept in a temporary "
        f"folder until the program ends; the variable {variable} can name another one."
    )
    return Path(temporary)


@cache
def _problem(folder: Path) -> str | None:
    """Say why nothing can be written into a folder, None where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


@cache
def _spare_numba(folder: Path) -> None:
    """Let numba keep what it compiles here, where it could nowhere: it would fail."""
    usual = os.environ.get(_NUMBA) or user_cache_path()
    if _problem(Path(usual)) is not None:
        os.environ[_NUMBA] = str(folder / "numba")
