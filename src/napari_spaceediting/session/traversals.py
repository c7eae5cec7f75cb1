"""Traversals that a session keeps: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from napari_spaceediting.errors import SessionError
from napari_spaceediting.network.spec import State
from napari_spaceediting.session.codec import Codec
from napari_spaceediting.session.shelf import DAMAGE
from napari_spaceediting.session.store import Store
from napari_spaceediting.traversal.result import BY_IMAGE, Asked, Traversal
from napari_spaceediting.traversal.settings import TraverseSettings


@dataclass(frozen=True, eq=False)
class StoredTraversal:
    """What came of a traversal, in files that are read only when somebody asks.

    Parameters
    ----------
    store : Store
        Where the session was saved.
    values : mapping
        As in ``session.json``.
    """

    store: Store = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, store: Store, values: Mapping[str, Any]) -> StoredTraversal:
        """Return it, if what names its files are names."""
        for key in values["arrays"].values():
            store.arrays.name(key)
        return cls(store, values)


class Outcome:
    """What came of a traversal: in memory until it is saved, and then in files.

    A session may have many of them, so that none stays in memory that could be read.
    """

    def __init__(self, source: Traversal | StoredTraversal) -> None:
        self.source = source

    def read(self) -> Traversal:
        """Return it, from wherever it is; large arrays are memory-mapped.

        Raises
        ------
        SessionError
            If its files cannot be read.
        """
        if isinstance(self.source, Traversal):
            return self.source
        try:
            return _traversal(self.source.values, self.source.store)
        except DAMAGE as error:
            raise SessionError(
                f"The images of this result cannot be read ({error}): remove it and "
                "run it again; the rest of the session is as it was."
            ) from error


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


def outcome_values(outcome: Outcome, store: Store) -> dict[str, Any]:
    """Return what came of a traversal as values for JSON; its arrays are stored."""
    source = outcome.source
    if isinstance(source, StoredTraversal):
        for key in source.values["arrays"].values():
            store.keep(key, source.store)
        return dict(source.values)
    values = Codec(store=store).unstructure(source)
    return {"arrays": {name: values.pop(name) for name in BY_IMAGE}, **values}


def _traversal(values: Mapping[str, Any], store: Store) -> Traversal:
    """Build from what `outcome_values` returned."""
    codec = Codec(store=store)
    codec.called[TraverseSettings] = "its settings"
    rest = {name: value for name, value in values.items() if name != "arrays"}
    arrays = {name: store.get(key) for name, key in values["arrays"].items()}
    if "made" not in arrays:
        # Early ones knew one regime, and nothing of steps to come.
        n_images, n_steps = arrays["arrived"].shape
        arrays["made"] = np.full(n_images, n_steps - 1)
        arrays["own"] = np.ones((n_images, n_steps), bool)
        rest["regime"] = "mixtures"
        rest["settings"] = {**rest["settings"]}
        rest["settings"].pop("preview_weight", None)
    found = codec.structure({**arrays, **rest}, Traversal)
    if len({len(getattr(found, name)) for name in BY_IMAGE}) != 1:
        raise ValueError("its arrays are of different lengths")
    return replace(found, notes=(*found.notes, *codec.left.sentences))
