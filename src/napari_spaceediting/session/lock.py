"""The lock on the folder of a session: one program at a time writes into it."""

from __future__ import annotations

import errno
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import SessionBusy
from napari_spaceediting.session.files import is_plain_file

LOCK, HOLDER = "session.lock", "session.holder.json"

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}
"""What file systems say that know no locks, as some network shares."""
_LONGEST = 100
_FOREVER = 1e8


@dataclass(frozen=True)
class Holder:
    """Who has a session open for writing.

    Parameters
    ----------
    program : str
        Such as "napari" or "the command retrain".
    since : str
        When, ISO 8601 with time zone.
    """

    program: str
    host: str
    pid: int
    since: str

    def describe(self) -> str:
        """Return such as "napari on bench-2 since 12:30"."""
        since = datetime.fromisoformat(self.since).astimezone()
        is_today = since.date() == datetime.now().astimezone().date()
        when = since.strftime("%H:%M" if is_today else "%d %B, %H:%M")
        return f"{self.program[:_LONGEST]} on {self.host[:_LONGEST]} since {when}"


class FolderLock:
    """Held from its making until `release`, or until the process ends.

    The system holds it for this process and this folder: what is copied, inherited by
    another process or left behind by a killed one is no lock. Where the file system
    has no locks, `is_safe` is False and nobody is kept out.

    Parameters
    ----------
    folder : Path
        Of the session; it must exist.
    program : str
        As in `Holder`.
    waits : bool
        Whether to wait for whoever holds it.

    Raises
    ------
    SessionBusy
        If somebody else holds it, and it is not waited for.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, program: str, *, waits: bool = False) -> None:
        self._folder = folder
        self._path = folder / LOCK
        self.is_safe = True
        # With the rights that the user's files have, so that others can lock it too.
        with suppress(FileExistsError):
            self._path.open("xb").close()
        # Not the same for all threads of this process: two windows keep each other out.
        self._lock = FileLock(self._path, thread_local=False)
        try:
            self._lock.acquire(timeout=_FOREVER if waits else 0)
        except Timeout:
            raise SessionBusy(_told(folder)) from None
        except (OSError, NotImplementedError) as error:
            if getattr(error, "errno", errno.ENOSYS) not in _NO_LOCKS:
                raise
            self.is_safe = False
        self._status = self._path.stat()
        holder = Holder(
            program,
            socket.gethostname(),
            os.getpid(),
            datetime.now().astimezone().isoformat(timespec="seconds"),
        )
        try:
            text = json.dumps(asdict(holder)).encode()
            write_file(folder / HOLDER, text)
        except BaseException:
            self._lock.release()
            raise

    def is_here(self) -> bool:
        """Whether the folder is still the one that was locked."""
        try:
            return os.path.samestat(self._path.stat(), self._status)
        except OSError:
            return False

    def release(self) -> None:
        """Let others write."""
        if self.is_here():
            with suppress(OSError):
                (self._folder / HOLDER).unlink()
        self._lock.release()


def holder_of(folder: Path) -> Holder | None:
    """Return who wrote last that he holds the lock, None where that is not known."""
    path = folder / HOLDER
    if not is_plain_file(path):
        return None
    try:
        values = json.loads(path.read_bytes())
        found = Holder(**{name: values[name] for name in Holder.__annotations__})
        found.describe()
    except (OSError, LookupError, TypeError, ValueError, AttributeError):
        return None
    return found


def _told(folder: Path) -> str:
    holder = holder_of(folder)
    by = f" in {holder.describe()}" if holder else " in another program"
    return f"{folder.name} is open{by}: close it there first."
