"""Copies of sessions that were never saved, for when a window ends unexpectedly."""

from __future__ import annotations

import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.files import INDEX
from napari_spaceediting.session.folder import SUFFIX, SessionFolder

PROGRAM = "napari"
"""What others are told who has a session open."""
_FOLDER = "recovery"
_OURS = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 60


@dataclass(frozen=True, eq=False)
class RecoveryCopy:
    """The copy of one session, which no other window touches while this one holds it.

    Parameters
    ----------
    folder : SessionFolder
        It is alone in a folder of its own.
    """

    folder: SessionFolder

    @property
    def name(self) -> str:
        """Of the data set."""
        return self.folder.path.stem

    @property
    def written(self) -> datetime:
        """When it was last written, local time."""
        return datetime.fromtimestamp((self.folder.path / INDEX).stat().st_mtime)

    def release(self) -> None:
        """Leave the copy for the next window."""
        self.folder.close()

    def delete(self) -> None:
        """Delete the copy, as far as the system lets go of its files.

        What is left is no session any more; `find` deletes it another time.
        """
        with suppress(OSError):
            (self.folder.path / INDEX).unlink()
        self.folder.close()
        shutil.rmtree(self.folder.path.parent, ignore_errors=True)


def make(cache: Path, name: str) -> RecoveryCopy:
    """Return a place for the copy of a session, in the folder of caches.

    Raises
    ------
    SessionError
        If it cannot be made.
    """
    safe = re.sub(r"[^\w .-]", "_", name).strip(" .")[:_LONGEST_NAME]
    path = cache / _FOLDER / uuid.uuid4().hex / f"{safe or 'session'}{SUFFIX}"
    return RecoveryCopy(SessionFolder.new(path, program=PROGRAM))


def find(cache: Path) -> list[RecoveryCopy]:
    """Return the copies that no window holds, the newest first; they are held now."""
    found = []
    for place in (cache / _FOLDER).glob("*"):
        if not _OURS.fullmatch(place.name):
            continue
        path = next(place.glob(f"*{SUFFIX}"), None)
        if path is None:
            with suppress(OSError):
                place.rmdir()
            continue
        with suppress(SessionError):
            if (path / INDEX).exists():
                opened = SessionFolder.open(path, program=PROGRAM)
                found.append(RecoveryCopy(opened))
            else:
                # A window was killed while it made it, or could not delete all of it.
                RecoveryCopy(SessionFolder.new(path, program=PROGRAM)).delete()
    return sorted(found, key=lambda copy: copy.written, reverse=True)
