"""Files that are there as a whole or not at all: the one way to replace one."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

UNFINISHED = re.compile(r"[0-9a-f]{16}\.part")
"""Names of what is being written; whoever is killed then leaves one behind."""


def write_file(path: Path, content: bytes | Callable[[IO[bytes]], object]) -> None:
    """Write a file beside its place and put it there when all of it is on disk.

    Its folder must exist. A link in its place is replaced, not followed.

    Parameters
    ----------
    path : Path
        Its place.
    content : bytes or callable
        What goes into it, or what writes that into a file.

    Raises
    ------
    OSError
        If it cannot be written; what was in its place is as it was.
    """
    unfinished = path.with_name(f"{secrets.token_hex(8)}.part")
    try:
        # "x" makes a new file: it neither follows a link nor opens what is there.
        with unfinished.open("xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
