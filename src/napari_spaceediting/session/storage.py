"""A session on disk.

A session is a folder ``NAME.spaceediting``. Arrays (``arrays/*.npy``) and weights
(``weights/*.safetensors``) are named by a digest of their content and never change
once written; ``session.json`` says which of them make up the session. It is replaced
in one step after everything that it names is on disk, so that a crash at any moment
leaves the last good state, and saving again writes only what is new. Nothing is ever
unpickled.

``session.json`` has a version; see `versions` for what takes a new one, and `codec`
for what becomes of keys that are not known.
"""

from __future__ import annotations

import errno
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from cattrs.gen import override
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset, Skipped
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import (
    Axes,
    JoinedPixels,
    PixelSource,
    SelectedPixels,
    StoredPixels,
    join,
    pixels_from_spec,
)
from napari_spaceediting.editing.answers import Answer, ProposalKind
from napari_spaceediting.editing.edits import Edit, EditLog
from napari_spaceediting.editing.evidence import Evidence
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import DataError, EditError, SessionError
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    TrainSettings,
)
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.codec import (
    EDITS,
    SETTINGS,
    Codec,
    Leftovers,
    Reader,
    Values,
    Writer,
    names_of,
)
from napari_spaceediting.session.state import (
    Checkpoint,
    Network,
    Round,
    SessionState,
)
from napari_spaceediting.session.store import DAMAGE, Store, replace_file, settle
from napari_spaceediting.session.traversals import (
    KeptTraversal,
    Outcome,
    StoredTraversal,
    outcome_values,
)
from napari_spaceediting.session.versions import VERSION, brought_up
from napari_spaceediting.traversal.result import Asked

SUFFIX = ".spaceediting"
_INDEX = "session.json"


def save_session(state: SessionState, folder: Path) -> None:
    """Save a session.

    Parameters
    ----------
    state : SessionState
        What to save.
    folder : Path
        ``NAME.spaceediting``; made where it does not exist. An older state of it is
        replaced once everything is written.

    Raises
    ------
    SessionError
        If it cannot be written, such as on a full disk; the last saved state is
        then as it was.
    """
    try:
        store = Store(folder)
        codec = _SessionCodec(store, ids=state.dataset.ids)
        values = {"version": VERSION, **codec.unstructure(state)}
        index = json.dumps(values, indent=1).encode()
        store.settle()
        replace_file(folder / _INDEX, lambda file: file.write(index))
        settle(folder)
    except OSError as error:
        raise SessionError(_cannot_save(folder, error)) from error
    store.forget_the_rest()
    for kept, entry in zip(state.traversals, values["traversals"], strict=True):
        kept.outcome.source = StoredTraversal(folder, entry["outcome"])


def load_session(
    folder: Path, say: Callable[[str], object] = warnings.warn
) -> SessionState:
    """Open a saved session; arrays are memory-mapped.

    Parameters
    ----------
    folder : Path
        ``NAME.spaceediting``.
    say : callable
        Takes a sentence for the user about each thing that is not as it was, because
        another version saved it.

    Raises
    ------
    SessionError
        If the folder is no session, is damaged, or comes from a newer version.
    """
    index = folder / _INDEX
    if not index.is_file():
        raise SessionError(
            f"{folder} is not a saved session: it has no {_INDEX}. Choose a folder "
            f"whose name ends in {SUFFIX}."
        )
    left = Leftovers()
    try:
        values = json.loads(index.read_bytes())
        if values["version"] > VERSION:
            raise SessionError(
                f"{folder} was saved by a newer version of napari-spaceediting: "
                "update it to open this session."
            )
        values = _without_unknown_answers(brought_up(values, left.say), left)
        del values["version"]
        state: SessionState = _SessionCodec(Store(folder), left).structure(
            values, SessionState
        )
    except (*DAMAGE, DataError, EditError) as error:
        raise SessionError(
            f"{folder} is damaged ({type(error).__name__}: {error}): restore it from "
            "a copy."
        ) from error
    for sentence in left.sentences:
        say(sentence)
    return state


def _cannot_save(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full, so {folder.name} could not be saved: free some space "
            "or save elsewhere; the last saved state is as it was."
        )
    return (
        f"{folder} could not be saved ({error.strerror or error}): save elsewhere; the "
        "last saved state is as it was."
    )


class _SessionCodec(Codec):
    """Turns a whole session into values and back, its arrays and weights into files.

    Edits, answers and evidence stay readable for people: their arrays are lists.
    """

    def __init__(
        self,
        store: Store,
        left: Leftovers | None = None,
        ids: NDArray[np.str_] | None = None,
    ) -> None:
        super().__init__(left=left, store=store)
        self._files = store
        self.called |= _CALLED
        self.plain = Codec(ids, self.left)
        self.plain.called = self.called
        self._checkpoints: dict[str, Checkpoint] = {}
        self._n_rounds = 0
        read, write = self.register_structure_hook, self.register_unstructure_hook
        for kind in (Edit, *EDITS.values(), Answer, Evidence, Asked):
            read(kind, self.plain.structure)
            write(kind, self.plain.unstructure)
        read(Skipped, lambda entry, _: Skipped(*entry))
        write(Skipped, lambda skipped: [skipped.name, skipped.reason])
        read(PixelSource, lambda values, _: _pixels_from_dict(values, store))
        read(Outcome, lambda values, _: Outcome(StoredTraversal(store.folder, values)))
        write(Outcome, lambda outcome: outcome_values(outcome, store))

    def known(self, values: Values, kind: type, names: set[str]) -> dict[str, Any]:
        """Return the values that are known; but for settings, all must be there."""
        if kind not in SETTINGS and not names <= values.keys():
            raise KeyError(*names - values.keys())
        return super().known(values, kind, names)

    def overrides(self, kind: type) -> dict[str, Any]:
        """Name weights by their digest."""
        store = self._files
        if kind is ImageDataset:
            return {"pixels": override(unstruct_hook=lambda _: None)}
        if kind is Network:
            return {
                "state": override(
                    rename="weights",
                    unstruct_hook=store.put_weights,
                    struct_hook=lambda key, _: store.get_weights(key),
                )
            }
        if kind is KeptTraversal:
            return {
                "weights": override(
                    rename="network",
                    unstruct_hook=store.key_of,
                    struct_hook=lambda key, _: store.weights_of(key),
                )
            }
        return super().overrides(kind)

    def _reader(self, kind: type) -> Reader:
        read = super()._reader(kind)
        if kind in _FLAT:
            return lambda values, _: read(_nested(values, *_FLAT[kind]), kind)
        if kind is SessionState:
            return lambda values, _: self._state(values)
        if kind is Checkpoint:
            return lambda values, _: self._checkpoint(values, read)
        if kind is Round:
            return lambda values, _: self._round(values, read)
        return read

    def _writer(self, kind: type) -> Writer:
        write = super()._writer(kind)
        if kind in _FLAT:
            return lambda value: _flat(write(value), _FLAT[kind][0])
        if kind is ImageDataset:
            return lambda dataset: {
                **write(dataset),
                "pixels": _pixels_to_dict(dataset, self._files),
            }
        return write

    def _state(self, values: Values) -> SessionState:
        types = get_type_hints(SessionState)
        values = self.known(values, SessionState, set(types))
        fields = {}
        # In this order: ids name images, and networks of checkpoints made traversals.
        for name in names_of(SessionState):
            fields[name] = self.structure(values[name], types[name])
            if name == "dataset":
                self.plain.ids = fields[name].ids
        return SessionState(**fields)

    def _checkpoint(self, values: Values, read: Reader) -> Checkpoint:
        """Return a checkpoint; the same object for the same values."""
        key = json.dumps(values)
        if key not in self._checkpoints:
            self._checkpoints[key] = read(values, Checkpoint)
        return self._checkpoints[key]

    def _round(self, values: Values, read: Reader) -> Round:
        self._n_rounds += 1
        name = f"round {self._n_rounds}"
        its_own = {Evidence: f"the evidence of {name}", RetrainSettings: name}
        self.called |= {Round: name, **its_own}
        found: Round = read(values, Round)
        self.called |= _CALLED
        return found


_CALLED = {
    SessionState: "the session",
    ImageDataset: "the data set",
    IntensityScaling: "the intensity scaling",
    ClassifierSpec: "a network",
    EditLog: "the list of edits",
    KeptTraversal: "a traversal",
    **dict.fromkeys(EDITS.values(), "an edit"),
    Answer: "an answer",
    TrainSettings: "the training",
    MapSettings: "the map",
    RetrainSettings: "the next round",
}

_FLAT = {Network: ("predictions", Predictions), KeptTraversal: ("asked", Asked)}
"""Fields whose own fields are written in their place."""


def _nested(values: Values, name: str, inner: type) -> Values:
    rest = dict(values)
    return {name: {each: rest.pop(each) for each in names_of(inner)}, **rest}


def _flat(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {**values.pop(name), **values}


def _without_unknown_answers(values: Values, left: Leftovers) -> dict[str, Any]:
    """Leave out answers to what can no longer be proposed."""
    kinds = {kind.value for kind in ProposalKind}
    answers = values["answers"]
    for kind in {answer["kind"] for answer in answers} - kinds:
        left.say(
            f"Answers to proposals of the kind “{kind}” are left out, as this "
            "version has none."
        )
    known = [answer for answer in answers if answer["kind"] in kinds]
    return {**values, "answers": known}


def _pixels_to_dict(dataset: ImageDataset, store: Store) -> dict[str, Any]:
    """Return what it takes to find pixels again; store those in memory only."""
    pixels = dataset.pixels
    if isinstance(pixels, JoinedPixels):
        return {"joined": [_pixels_to_dict(part, store) for part in dataset.parts()]}
    if isinstance(pixels, StoredPixels) and _is_ours(pixels):
        key = pixels.path.stem
        store.keep(pixels.path)
    else:
        spec = None if _is_ours(pixels) else pixels.to_spec(store.folder)
        if spec is not None:
            return spec
        stack = dataset.raw_stack()
        is_flat = pixels.n_channels == 1 and pixels.read(0).ndim == 2
        key = store.put(stack[..., 0] if is_flat else stack)
    return {"stored": key, "length": len(pixels), "n_channels": pixels.n_channels}


def _pixels_from_dict(values: Values, store: Store) -> PixelSource:
    """Find pixels again."""
    if "joined" in values:
        return join(*(_pixels_from_dict(part, store) for part in values["joined"]))
    if "stored" not in values:
        return pixels_from_spec(values, store.folder)
    path = store.path(values["stored"])
    axes: Axes = "NYX" if store.get(values["stored"]).ndim == 3 else "NYXC"
    return StoredPixels(path, None, axes, values["length"], values["n_channels"])


def _is_ours(pixels: PixelSource) -> bool:
    """Whether the pixels lie in the folder of this or another session."""
    if isinstance(pixels, SelectedPixels):
        return _is_ours(pixels.source)
    if isinstance(pixels, JoinedPixels):
        return any(map(_is_ours, pixels.sources))
    if not isinstance(pixels, StoredPixels):
        return False
    folder = pixels.path.parent
    return folder.name == "arrays" and folder.parent.suffix == SUFFIX
