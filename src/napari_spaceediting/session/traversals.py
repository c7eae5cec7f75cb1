"""Traversals that a session keeps: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spaceediting.errors import SessionError
from napari_spaceediting.network.spec import State
from napari_spaceediting.session.leftovers import Leftovers, names_of
from napari_spaceediting.session.store import DAMAGE, Store, array_path, read_array
from napari_spaceediting.traversal.result import BY_IMAGE, Asked, Traversal
from napari_spaceediting.traversal.settings import TraverseSettings


@dataclass(frozen=True, eq=False)
class StoredTraversal:
    """What came of a traversal, in files that are read only when somebody asks.

    Parameters
    ----------
    folder : Path
        Of its arrays.
    values : mapping
        As in ``session.json``.
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
        except DAMAGE as error:
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


def kept_to_dict(kept: KeptTraversal, store: Store) -> dict[str, Any]:
    """Return a traversal as values for JSON; write what came of it.

    Parameters
    ----------
    kept : KeptTraversal
        To be stored, after the networks of the session.
    store : Store
        Takes its arrays.
    """
    asked, source = kept.asked, kept.outcome.source
    if isinstance(source, Traversal):
        outcome = {
            "arrays": {name: store.put(getattr(source, name)) for name in BY_IMAGE},
            "layers": list(source.layers),
            "settings": asdict(source.settings),
            "notes": list(source.notes),
            "seconds": source.seconds,
        }
    else:
        outcome = dict(source.values)
        for path in source.paths:
            # One that is gone is not missed before somebody wants to see it.
            with suppress(FileNotFoundError):
                store.keep(path)
    return {
        "sources": asked.sources.tolist(),
        "target": asked.target,
        "goal": asked.goal,
        "class_names": list(asked.class_names),
        "group": None if asked.group is None else asked.group.tolist(),
        "network": store.key_of(kept.weights),
        "created": kept.created,
        "outcome": outcome,
    }


def kept_from_dict(
    values: Mapping[str, Any], store: Store, left: Leftovers
) -> KeptTraversal:
    """Build from what `kept_to_dict` returned; what came of it is not read yet."""
    names = [*names_of(Asked), "network", "created", "outcome"]
    values = left.known(values, names, "a traversal")
    group = values["group"]
    return KeptTraversal(
        asked=Asked(
            sources=np.array(values["sources"], np.int64),
            target=values["target"],
            goal=values["goal"],
            class_names=tuple(values["class_names"]),
            group=None if group is None else np.array(group, np.int64),
        ),
        outcome=Outcome(StoredTraversal(store.arrays, values["outcome"])),
        weights=store.weights_of(values["network"]),
        created=values["created"],
    )


def _traversal_from_dict(values: Mapping[str, Any], folder: Path) -> Traversal:
    arrays: dict[str, Any] = {
        name: read_array(array_path(folder, values["arrays"][name]))
        for name in BY_IMAGE
    }
    if len({len(array) for array in arrays.values()}) != 1:
        raise ValueError("its arrays are of different lengths")
    left = Leftovers()
    settings = left.settings(TraverseSettings, values["settings"], "its settings")
    return Traversal(
        **arrays,
        layers=tuple(values["layers"]),
        settings=settings,
        notes=(*values["notes"], *left.sentences),
        seconds=values["seconds"],
    )
