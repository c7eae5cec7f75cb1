"""Saving and loading a whole session at once; `folder` has the way to keep one open."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from napari_spaceediting.session.folder import SUFFIX, SessionFolder
from napari_spaceediting.session.state import SessionState

__all__ = ["SUFFIX", "load_session", "save_session"]


def save_session(state: SessionState, folder: Path) -> None:
    """Save a session into a folder, whatever session was there.

    Parameters
    ----------
    folder : Path
        ``NAME.spaceediting``; made where it does not exist.

    Raises
    ------
    SessionError
        If it cannot be written, such as on a full disk; what was there before is then
        as it was.
    SessionBusy
        If somebody else has it open.
    """
    with SessionFolder.new(folder, replaces=True) as place:
        place.save(state)


def load_session(
    folder: Path, say: Callable[[str], object] = warnings.warn
) -> SessionState:
    """Read a saved session; arrays are memory-mapped.

    Parameters
    ----------
    folder : Path
        ``NAME.spaceediting``.
    say : callable
        Takes a sentence for the user about each thing that is not as it was.

    Raises
    ------
    SessionError
        If the folder is no session, is damaged, or comes from a newer version.
    """
    with SessionFolder.open(folder, is_read_only=True) as place:
        return place.load(say)
