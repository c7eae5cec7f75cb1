"""A subfolder of a session whose files are named by a digest of their content."""

from __future__ import annotations

import os
import re
import stat
import sys
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from tokenize import TokenError
from typing import IO

from safetensors import SafetensorError

from napari_spaceediting.data import writing
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.session.files import is_link, is_plain_file, names_in

DAMAGE = (
    OSError,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    SafetensorError,
    TokenError,
)
"""What reading a file of a session may raise that is not what was written."""

_KEY = re.compile(r"[0-9a-f]{32}")
UNFINISHED = re.compile(
    rf"{writing.UNFINISHED.pattern}|"
    r"([0-9a-f]{32}\.(npy|safetensors)|session\.json)\.part"
)
"""Names of what was being written, also by versions before."""


class Damaged(ValueError):
    """A file is not what was written; says which and how, in a few words."""


class Shelf:
    """A subfolder of a session with files that are named by a digest.

    They can be read after the session's folder was moved, where the system knows a
    folder by more than its name.

    Parameters
    ----------
    path : Path
        The subfolder, which need not exist.
    suffix : str
        Of its files.

    Attributes
    ----------
    sound : set of str
        Digests of files that were written, or read and found to be what they say.
    used : set of str
        Digests of files that `tidy` keeps.

    Raises
    ------
    Damaged
        If it is a link, which may lead anywhere.
    """

    def __init__(self, path: Path, suffix: str) -> None:
        self.path = path
        self._suffix = suffix
        self._handle: int | None = None
        self.sound: set[str] = set()
        self.used: set[str] = set()
        self._hold()
        self._ours = {name for name in names_in(path) if self._is_ours(name)}

    def name(self, key: object) -> str:
        """Return the name of the file of a digest; nothing else is a name."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise Damaged(f"{key!r:.80} is no name of a file in {self.path.name}")
        return f"{key}{self._suffix}"

    @contextmanager
    def reading(self, key: object) -> Iterator[BufferedReader]:
        """Open a file; what goes wrong within is told as damage of that file.

        Raises
        ------
        Damaged
            If it is missing, or not what was written.
        PermissionError
            If it may not be read.
        """
        name = self.name(key)
        shown = f"{self.path.name}/{name}"
        try:
            with open(name, "rb", opener=self._open) as file:
                yield file
        except PermissionError:
            raise
        except FileNotFoundError:
            raise Damaged(f"{shown} is missing") from None
        except Damaged as error:
            raise Damaged(f"{shown} {error}") from error
        except DAMAGE as error:
            raise Damaged(f"{shown} cannot be read: {error}") from error

    def holds(self, key: str) -> bool:
        """Whether there is a file of this name."""
        return is_plain_file(self.path / self.name(key))

    def write(self, key: str, content: bytes | Callable[[IO[bytes]], object]) -> None:
        """Write a file, which is in use then."""
        self.path.mkdir(exist_ok=True)
        self._hold()
        name = self.name(key)
        self._ours.add(name)
        self.used.add(key)
        write_file(self.path / name, content)
        self.sound.add(key)

    def foreign(self) -> list[str]:
        """Return the names of files that are none of ours."""
        return [name for name in names_in(self.path) if not self._is_ours(name)]

    def tidy(self) -> None:
        """Delete our files that are not in use.

        Ours are those that were there when the session was opened and those written
        since, as far as they have names of our own pattern. What cannot be deleted,
        such as a file that is open on Windows, waits for the next time.
        """
        for name in self._ours - {self.name(key) for key in self.used}:
            with suppress(OSError):
                (self.path / name).unlink(missing_ok=True)
                self._ours.discard(name)
        self.sound &= self.used

    def _hold(self) -> None:
        """Make sure that it is no link, and keep a hold of it wherever it is moved."""
        if is_link(self.path):
            raise Damaged(f"{self.path.name} is a link, which may lead anywhere")
        if self._handle is None and sys.platform != "win32" and self.path.is_dir():
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            self._handle = os.open(self.path, flags)
            weakref.finalize(self, os.close, self._handle)

    def _is_ours(self, name: str) -> bool:
        stem = name.removesuffix(self._suffix)
        is_key = stem != name and _KEY.fullmatch(stem)
        return bool(is_key or UNFINISHED.fullmatch(name))

    def _open(self, name: str, flags: int) -> int:
        """Open a file of the folder, wherever that is now."""
        if sys.platform == "win32":
            path = self.path / name
            if path.exists() and not is_plain_file(path):
                raise Damaged("is no plain file")
            return os.open(path, flags)
        if self._handle is None:
            raise FileNotFoundError(name)
        # A link would lead elsewhere; a pipe would be waited for.
        flags |= os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(name, flags, dir_fd=self._handle)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise Damaged("is no plain file")
        return handle
