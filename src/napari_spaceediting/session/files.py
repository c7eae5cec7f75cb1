"""What a folder of a session is known by, and what in it is no link."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

INDEX = "session.json"


def settle(folder: Path) -> None:
    """Put the names in a folder on disk, where the file system knows how to."""
    if sys.platform == "win32" or not folder.exists():
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, none where it does not exist."""
    return os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, or a junction of Windows."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return False
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_reparse_tag", 0))


def is_plain_file(path: Path) -> bool:
    """Whether there is a file that is no link, pipe or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode) and not is_link(path)
    except (OSError, ValueError):
        return False


def is_session(folder: Path) -> bool:
    """Whether a folder looks like that of a session, whatever its name."""
    return is_plain_file(folder / INDEX)
