"""The folder of a session on disk, from its opening until it is closed.

A session is a folder ``NAME.spaceediting``, whatever its name. Arrays
(``arrays/*.npy``), those of checkpoints (``checkpoints/*.safetensors``) and weights
(``weights/*.safetensors``) are named by a digest of their content and never change
once written; ``session.json`` says which of them make
up the session. It is replaced in one step after everything that it names is on disk,
so that a crash at any moment leaves the last good state, and saving again writes only
what is new.

One program at a time writes (`lock`). Where that cannot be had, as on some network
shares, ``session.json`` is compared with what was read before it is replaced, and what
cannot go in its place goes beside it. Nothing outside the folder is written or
deleted, nothing is reached through a link, and only files with names of our own
pattern are deleted.
"""

from __future__ import annotations

import errno
import hashlib
import json
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

from napari_spaceediting.data.writing import write_file
from napari_spaceediting.errors import SessionBusy, SessionError, SpaceEditingError
from napari_spaceediting.session.codec import Leftovers
from napari_spaceediting.session.files import (
    INDEX,
    is_link,
    is_plain_file,
    is_session,
    names_in,
    settle,
)
from napari_spaceediting.session.index import IndexCodec, read_values
from napari_spaceediting.session.lock import HOLDER, LOCK, FolderLock
from napari_spaceediting.session.shelf import DAMAGE, UNFINISHED, Damaged
from napari_spaceediting.session.state import SessionState, is_whole
from napari_spaceediting.session.store import SHELVES, Store
from napari_spaceediting.session.traversals import Outcome, StoredTraversal
from napari_spaceediting.session.validity import check_state
from napari_spaceediting.session.versions import VERSION

SUFFIX = ".spaceediting"

Say = Callable[[str], object]

_FULL = errno.ENOSPC, errno.EDQUOT
_TRIES = 5
"""Of reading a session that another program is just saving."""


class _Changed(Exception):
    """What is on disk is not what was read."""


class SessionFolder:
    """A session's folder that is open; `open` and `new` make one.

    Whoever opens it for writing keeps others from that until it is closed. What was
    loaded can be read after it is closed, and as far as the system allows after the
    folder was moved.

    Attributes
    ----------
    path : Path
        The folder, resolved.
    is_read_only : bool
        Whether it cannot be saved to.
    """

    def __init__(self, path: Path, lock: FolderLock | None, program: str) -> None:
        self.path = path
        self.is_read_only = lock is None
        self._lock = lock
        self._program = program
        self._is_open = True
        self._is_made = False
        self._saving = threading.RLock()
        self._store = Store(path)
        self._mark = _mark_of(_bytes_of(path))
        self._saved: SessionState | None = None
        self._written: list[tuple[Outcome, StoredTraversal]] = []
        self._strays = [name for name in names_in(path) if UNFINISHED.fullmatch(name)]

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        is_read_only: bool = False,
        waits: bool = False,
        program: str = "a script",
    ) -> Self:
        """Open the folder of a saved session.

        Parameters
        ----------
        path : Path
            The folder, or a link to it.
        is_read_only : bool
            Without a lock; it can be looked at while somebody else works on it.
        waits : bool
            Whether to wait for whoever has it open for writing.
        program : str
            What others are told who has it open.

        Raises
        ------
        SessionBusy
            If somebody else has it open for writing.
        SessionError
            If it is no session, has links in it, or cannot be read or written.
        """
        path = _resolved(path)
        if not is_session(path):
            _check_links(path)
            raise SessionError(
                f"{path} is not a saved session: it has no {INDEX}. Choose a folder "
                f"whose name ends in {SUFFIX}."
            )
        return cls._opened(path, is_read_only, waits, program)

    @classmethod
    def new(
        cls, path: Path, *, replaces: bool = False, program: str = "a script"
    ) -> Self:
        """Make the folder of a session that is to be saved there.

        Closed without having been saved to, it is as it was before.

        Parameters
        ----------
        path : Path
            The folder. It need not exist; what a killed `new` has left does not count.
        replaces : bool
            Whether the first `save` may replace a session that is there. Ask the user.
        program : str
            As for `open`.

        Raises
        ------
        SessionBusy, SessionError
            As `open`, or if there is anything that is not to be replaced.
        """
        path = _resolved(path)
        _check_free(path, replaces)
        is_made = not path.exists()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(_cannot_save(path, error)) from error
        found = cls._opened(path, False, False, program)
        found._is_made = is_made
        try:
            # Somebody else may have been quicker, before there was a lock.
            _check_free(path, replaces)
        except SessionError:
            found.close()
            raise
        return found

    @classmethod
    def _opened(cls, path: Path, is_read_only: bool, waits: bool, program: str) -> Self:
        _check_links(path)
        lock = None
        try:
            if not is_read_only:
                lock = FolderLock(path, program, waits=waits)
            return cls(path, lock, program)
        except BaseException as error:
            if lock is not None:
                lock.release()
            if not isinstance(error, OSError):
                raise
            if error.errno in _FULL:
                raise SessionError(_cannot_save(path, error)) from error
            raise SessionError(
                f"{path} cannot be {'read' if is_read_only else 'written'} "
                f"({error.strerror or error}): "
                + ("ask who owns it." if is_read_only else "open it read only.")
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others write; a folder that was made in vain goes."""
        with self._saving:
            if not self._is_open:
                return
            self._is_open = False
            if self._lock is None:
                return
            is_vain = self._mark is None and self._lock.is_here()
            if is_vain:
                self._store.begin()
                self._store.tidy()
            self._lock.release()
            if is_vain and self._is_made:
                with suppress(OSError):
                    (self.path / LOCK).unlink(missing_ok=True)
                for folder in (*SHELVES, "."):
                    with suppress(OSError):
                        (self.path / folder).rmdir()

    def load(self, say: Say = warnings.warn) -> SessionState:
        """Return the session; large arrays are memory-mapped.

        Parameters
        ----------
        say : callable
            Takes a sentence for the user about each thing that is not as it was, as
            another version saved it or it is damaged, and about a place without locks.

        Raises
        ------
        SessionError
            If it is damaged, may not be read, or comes from a newer version.
        """
        for _ in range(_TRIES):
            try:
                return self._load(say)
            except SessionError:
                # Somebody else may just be saving it.
                if not (self.is_read_only and self._is_changed()):
                    raise
                self._store = Store(self.path)
        return self._load(say)

    def _load(self, say: Say) -> SessionState:
        left = Leftovers()
        try:
            read = (self.path / INDEX).read_bytes()
            self._mark = _mark_of(read)
            values = json.loads(read)
            version = values["version"]
            if type(version) is not int:
                raise Damaged(f"its version is {version!r:.80}")
            if version > VERSION:
                raise SessionError(
                    f"{self.path} was saved by a newer version of napari-spaceediting: "
                    "update it to open this session."
                )
            codec = IndexCodec(self._store, left)
            state: SessionState = codec.structure(
                read_values(values, left), SessionState
            )
            check_state(state)
            if any(past.damage for past in state.rounds) and self._is_changed():
                raise Damaged("it was saved by another program meanwhile")
        except SessionError:
            raise
        except PermissionError as error:
            raise SessionError(
                f"{self.path} may not be read ({error.filename}: {error.strerror}): "
                "ask who owns it."
            ) from error
        except (*DAMAGE, SpaceEditingError) as error:
            is_told = isinstance(error, (Damaged, SpaceEditingError))
            reason = str(error) if is_told else f"{type(error).__name__}: {error}"
            raise SessionError(
                f"{self.path} is damaged ({reason:.300}): restore it from a copy."
            ) from error
        for sentence in left.sentences:
            say(sentence)
        if self._lock is not None and not self._lock.is_safe:
            say(
                f"{self.path.name} lies where programs cannot be kept apart, as on "
                "some network shares: let only one at a time save it."
            )
        return state

    def save(self, state: SessionState, say: Say = warnings.warn) -> Self:
        """Save a session; nothing that others have saved is overwritten.

        If ``session.json`` is no longer what was read or written here, the session
        goes into a new folder beside it, and this one is closed.

        Parameters
        ----------
        say : callable
            Takes a sentence for the user if it went beside its place.

        Returns
        -------
        SessionFolder
            Where it is saved, and is to be saved from now on: this one, or the one
            beside it, which is open.

        Raises
        ------
        SessionError
            If it is open read only, if the folder was moved or deleted, or if it
            cannot be written, such as on a full disk; the last saved state is then as
            it was.
        """
        with self._saving:
            if self.is_read_only or not self._is_open:
                how = "open read only" if self.is_read_only else "closed"
                raise SessionError(f"{self.path.name} is {how}: save elsewhere.")
            try:
                self._save(state)
                return self
            except _Changed:
                return self._save_beside(state, say)
            except (OSError, Damaged) as error:
                self._check_there()
                raise SessionError(_cannot_save(self.path, error)) from error

    def _save(self, state: SessionState) -> None:
        self._check_unchanged()
        store = self._store
        store.begin()
        codec = IndexCodec(store, ids=state.dataset.ids)
        values = {"version": VERSION, **codec.unstructure(state)}
        index = json.dumps(values, indent=1).encode()
        store.settle()
        # It took a while.
        self._check_unchanged()
        write_file(self.path / INDEX, index)
        self._mark = _mark_of(index)
        settle(self.path)
        store.tidy()
        for name in self._strays:
            with suppress(OSError):
                (self.path / name).unlink()
        self._strays = []
        self._saved = state
        self._written = [
            (kept.outcome, StoredTraversal(store, entry["outcome"]))
            for kept, entry in zip(state.traversals, values["traversals"], strict=True)
        ]

    def let_go(self) -> None:
        """Have what is not present read from where it was saved from now on.

        That is weights, traversals, and what is only looked back at.

        Until then they stay in memory, or are read from where they were before.
        """
        with self._saving:
            self._store.let_go_of_weights()
            for outcome, stored in self._written:
                outcome.source = stored
            self._written = []
            if (state := self._saved) is not None:
                past = [end for end in state.past if is_whole(end)]
                self._store.let_go(past, (state.checkpoint, state.shown))
            self._saved = None

    def _save_beside(self, state: SessionState, say: Say) -> Self:
        stem = self.path.stem if self.path.suffix == SUFFIX else self.path.name
        when = datetime.now().strftime("%Y-%m-%d %H.%M.%S")
        path = self.path.with_name(f"{stem} (conflict {when}){SUFFIX}")
        what = f"{self.path.name} was changed by another program since it was read"
        other = None
        try:
            other = type(self).new(path, program=self._program)
            other.save(state)
        except SessionError as error:
            if other is not None:
                other.close()
            raise SessionError(
                f"{what}, and is left as it is; your work could not be put beside it, "
                f"so save it elsewhere. {error}"
            ) from error
        self.close()
        say(
            f"{what}: it is left as it is, and your work is in {path.name} beside it, "
            "where it is saved from now on."
        )
        return other

    def _check_there(self) -> None:
        if not self.path.is_dir():
            raise SessionError(
                f"{self.path} is gone: it was moved, renamed or deleted while it was "
                "open. Save elsewhere, or put it back."
            )

    def _check_unchanged(self) -> None:
        self._check_there()
        assert self._lock is not None
        if not self._lock.is_here():
            # Another folder has its name, or somebody has deleted the lock.
            self._lock.release()
            try:
                self._lock = FolderLock(self.path, self._program)
            except SessionBusy:
                raise _Changed from None
        if is_link(self.path / INDEX) or self._is_changed():
            raise _Changed

    def _is_changed(self) -> bool:
        return _mark_of(_bytes_of(self.path)) != self._mark


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SessionError(f"{path} is no folder ({error}).") from error


def _check_links(path: Path) -> None:
    """Refuse what may lead out of the folder."""
    for name in (INDEX, *SHELVES, LOCK, HOLDER):
        if is_link(path / name):
            raise SessionError(
                f"“{name}” in {path} is a link, which may lead anywhere: put the files "
                "themselves in its place to open this session."
            )


def _check_free(path: Path, replaces: bool) -> None:
    """Refuse a place for a new session where something is that must stay."""
    if not path.exists():
        return
    if not path.is_dir():
        raise SessionError(f"{path} is no folder: choose another name.")
    index = _bytes_of(path)
    if index is not None:
        if not replaces:
            raise SessionError(
                f"{path} exists already: choose another name, or go on with it."
            )
        if not _is_ours(index):
            raise SessionError(
                f"{path} has an {INDEX} that is none of a session: choose another name."
            )
        return
    own = {LOCK, HOLDER, *SHELVES}
    others = [name for name in names_in(path) if name not in own]
    foreign = [name for name in others if not UNFINISHED.fullmatch(name)]
    for shelf in Store(path).shelves:
        foreign += shelf.foreign()
    if foreign:
        raise SessionError(
            f"{path} is no session, but has other files in it, such as {foreign[0]}: "
            "choose another name."
        )


def _is_ours(index: bytes) -> bool:
    """Whether it is what a version of this program has written."""
    try:
        values = json.loads(index)
        return bool({"version", "dataset", "checkpoint"} <= values.keys())
    except DAMAGE:
        return False


def _bytes_of(path: Path) -> bytes | None:
    """Return what ``session.json`` holds, None where there is none."""
    index = path / INDEX
    return index.read_bytes() if is_plain_file(index) else None


def _mark_of(index: bytes | None) -> bytes | None:
    """Return what tells one content of ``session.json`` from another."""
    return None if index is None else hashlib.blake2b(index).digest()


def _cannot_save(folder: Path, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _FULL:
        return (
            f"The disk is full, so {folder.name} could not be saved: free some space "
            "or save elsewhere; the last saved state is as it was."
        )
    reason = getattr(error, "strerror", None) or error
    return (
        f"{folder} could not be saved ({reason}): save elsewhere; the last saved state "
        "is as it was."
    )
