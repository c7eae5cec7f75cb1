"""Files that are there as a whole or not at all, and never through a link."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

INDEX = "session.json"

UNFINISHED = re.compile(
    r"([0-9a-f]{16}|[0-9a-f]{32}\.(npy|safetensors)|session\.json)\.part"
)
"""Names of what is being written, also by versions before; whoever is killed then
leaves one behind."""


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and put it there when all of it is on disk.

    Its folder must exist. A link in its place is replaced, not followed.
    """
    unfinished = path.with_name(f"{secrets.token_hex(8)}.part")
    try:
        # "x" makes a new file: it neither follows a link nor opens what is there.
        with unfinished.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def settle(folder: Path) -> None:
    """Put the names in a folder on disk, where the file system knows how to."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


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
