"""Copies of sessions that were never saved, for when a window ends unexpectedly."""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from qtpy.QtCore import QLockFile

from napari_spaceediting.session.storage import SUFFIX

_FOLDER, _LOCK, _INDEX = "recovery", "lock", "session.json"
_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class RecoveryCopy:
    """The copy of one session, which no other window touches while this one holds it.

    Its lock ends with the process, however that ends.

    Parameters
    ----------
    session : Path
        The folder ``NAME.spaceediting``, alone in a folder of its own.
    lock : QLockFile
        Held by this window.
    """

    session: Path
    lock: QLockFile = field(repr=False)

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.session.stem

    @property
    def written(self) -> datetime:
        """When it was last written, local time."""
        return datetime.fromtimestamp((self.session / _INDEX).stat().st_mtime)

    def release(self) -> None:
        """Leave the copy for the next window."""
        self.lock.unlock()

    def delete(self) -> None:
        """Delete the copy, as far as the system lets go of its files.

        What is left is no session any more; `find` deletes it another time.
        """
        with suppress(OSError):
            (self.session / _INDEX).unlink()
        self.lock.unlock()
        shutil.rmtree(self.session.parent, ignore_errors=True)


def make(cache: Path, name: str) -> RecoveryCopy:
    """Return a place for the copy of a session, in the folder of caches.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    folder = cache / _FOLDER / uuid.uuid4().hex
    folder.mkdir(parents=True)
    safe = re.sub(r"[^\w .-]", "_", name).strip(" .")[:_LONGEST_NAME]
    lock = _locked(folder)
    if lock is None:
        raise OSError(f"{folder} cannot be locked")
    return RecoveryCopy(folder / f"{safe or 'session'}{SUFFIX}", lock)


def find(cache: Path) -> list[RecoveryCopy]:
    """Return the copies that no window holds, the newest first; they are held now."""
    found = []
    for folder in (cache / _FOLDER).glob("*"):
        lock = _locked(folder)
        if lock is None:
            continue
        session = next(folder.glob(f"*{SUFFIX}/{_INDEX}"), None)
        if session is None:
            lock.unlock()
            shutil.rmtree(folder, ignore_errors=True)
        else:
            found.append(RecoveryCopy(session.parent, lock))
    return sorted(found, key=lambda copy: copy.written, reverse=True)


def _locked(folder: Path) -> QLockFile | None:
    """Lock a folder; None where a living window holds it."""
    lock = QLockFile(str(folder / _LOCK))
    # It is stale only when its process is gone, not by age.
    lock.setStaleLockTime(0)
    return lock if lock.tryLock(0) else None
