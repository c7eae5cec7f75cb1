"""Traversals that a session keeps: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import SessionError, SpaceEditingError
from napari_spaceediting.network.spec import State
from napari_spaceediting.session.history import stages
from napari_spaceediting.traversal.result import BY_IMAGE, Asked, Traversal
from napari_spaceediting.traversal.settings import TraverseSettings

if TYPE_CHECKING:
    from napari_spaceediting.session.state import SessionState

DAMAGE = OSError, EOFError, AttributeError, LookupError, TypeError, ValueError
"""What reading a file of a session may raise that is not what was written."""

_MAPPED = 1 << 20
"""Bytes from which on an array stays in its file."""


@dataclass(frozen=True, eq=False)
class StoredTraversal:
    """What came of a traversal, in files that are read only when somebody asks.

    Parameters
    ----------
    folder : Path
        Of its arrays.
    values : mapping
        As from `traversal_to_dict`.
    """

    folder: Path
    values: Mapping[str, Any] = field(repr=False)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Its files."""
        keys = self.values["arrays"].values()
        return tuple(array_path(self.folder, key) for key in keys)

    def read(self) -> Traversal:
        """Read it; large arrays are memory-mapped.

        Raises
        ------
        SessionError
            If it cannot be read.
        """
        try:
            return _traversal_from_dict(self.values, self.folder)
        except (*DAMAGE, SpaceEditingError) as error:
            raise SessionError(
                f"The images of this result cannot be read ({error}): remove it and "
                "run it again; the rest of the session is as it was."
            ) from error


class Outcome:
    """What came of a traversal: in memory until it is saved, and then in files.

    A session may have many of them, so that none stays in memory that could be read.

    Parameters
    ----------
    source : Traversal or StoredTraversal
        Either of them.
    """

    def __init__(self, source: Traversal | StoredTraversal) -> None:
        self.source = source

    def read(self) -> Traversal:
        """Return it, from wherever it is.

        Raises
        ------
        SessionError
            If its files cannot be read.
        """
        source = self.source
        return source if isinstance(source, Traversal) else source.read()


@dataclass(frozen=True, eq=False)
class KeptTraversal:
    """A traversal that belongs to a session.

    Parameters
    ----------
    asked : Asked
        What was moved to what; one source for each image that was finished.
    outcome : Outcome
        What came of it, with settings, layers, notes and seconds.
    weights : mapping or None
        Those of the network that made it, the very object that a checkpoint has; None
        where the session has that network no more.
    created : str
        When, ISO 8601 with time zone.
    """

    asked: Asked
    outcome: Outcome = field(repr=False)
    weights: State | None = field(repr=False)
    created: str

    def stage(self, state: SessionState) -> str:
        """Return the stage of a session whose network made it, such as "round 2"."""
        for stage in stages(state):
            network = stage.checkpoint.network
            if network is not None and network.state is self.weights:
                return stage.name[0].lower() + stage.name[1:]
        return "a network that is gone"

    def describe(self, state: SessionState) -> str:
        """Return such as "Pullover → Coat, 8 images, start"."""
        asked = self.asked
        kinds = [asked.name(kind) for kind in np.unique(asked.sources).tolist()]
        start = kinds[0] if len(kinds) == 1 else f"{len(kinds)} kinds"
        count = len(asked.sources)
        images = "1 image" if count == 1 else f"{count:,} images"
        return f"{start} → {asked.goal}, {images}, {self.stage(state)}"


def array_path(folder: Path, key: str) -> Path:
    """Return the file of an array in the folder of a session's arrays."""
    return folder / f"{key}.npy"


def read_array(path: Path) -> NDArray[Any]:
    """Read an array, memory-mapped where it is large."""
    mode: Literal["r"] | None = "r" if path.stat().st_size > _MAPPED else None
    found: NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    return found


def traversal_to_dict(
    traversal: Traversal, put: Callable[[NDArray[Any]], str]
) -> dict[str, Any]:
    """Return a traversal as values for JSON.

    Parameters
    ----------
    traversal : Traversal
        To be stored.
    put : callable
        Stores an array and returns its key.
    """
    return {
        "arrays": {name: put(getattr(traversal, name)) for name in BY_IMAGE},
        "layers": list(traversal.layers),
        "settings": asdict(traversal.settings),
        "notes": list(traversal.notes),
        "seconds": traversal.seconds,
    }


def _traversal_from_dict(values: Mapping[str, Any], folder: Path) -> Traversal:
    arrays: dict[str, Any] = {
        name: read_array(array_path(folder, key))
        for name, key in values["arrays"].items()
    }
    if len({len(array) for array in arrays.values()}) != 1:
        raise ValueError("its arrays are of different lengths")
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values["settings"].items()
    }
    return Traversal(
        **arrays,
        layers=tuple(values["layers"]),
        settings=TraverseSettings(**settings),
        notes=tuple(values["notes"]),
        seconds=values["seconds"],
    )


def asked_to_dict(asked: Asked) -> dict[str, Any]:
    """Return what was asked for as values for JSON."""
    return {
        "sources": asked.sources.tolist(),
        "target": asked.target,
        "goal": asked.goal,
        "class_names": list(asked.class_names),
        "group": None if asked.group is None else asked.group.tolist(),
    }


def asked_from_dict(values: Mapping[str, Any]) -> Asked:
    """Build from what `asked_to_dict` returned."""
    group = values["group"]
    return Asked(
        sources=np.array(values["sources"], np.int64),
        target=values["target"],
        goal=values["goal"],
        class_names=tuple(values["class_names"]),
        group=None if group is None else np.array(group, np.int64),
    )
