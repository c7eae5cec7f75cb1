"""A session on disk.

A session is a folder ``NAME.spaceediting``. Arrays (``arrays/*.npy``) and weights
(``weights/*.safetensors``) are named by a digest of their content and never change
once written; ``session.json`` says which of them make up the session. It is replaced
in one step after everything that it names is on disk, so that a crash at any moment
leaves the last good state, and saving again writes only what is new. Nothing is ever
unpickled.

``session.json`` has a version; see `versions` for what takes a new one, and
`leftovers` for what becomes of keys that are not known.
"""

from __future__ import annotations

import errno
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np
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
from napari_spaceediting.editing.answers import (
    Answer,
    ProposalKind,
    answer_from_dict,
    answer_to_dict,
)
from napari_spaceediting.editing.edits import Edit, edit_from_dict, edit_to_dict
from napari_spaceediting.editing.evidence import (
    Evidence,
    evidence_from_dict,
    evidence_to_dict,
)
from napari_spaceediting.editing.log import EditLog
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import DataError, EditError, SessionError
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    TrainSettings,
)
from napari_spaceediting.projection.settings import MapSettings, Method
from napari_spaceediting.session.leftovers import Leftovers, names_of
from napari_spaceediting.session.state import (
    Checkpoint,
    Map,
    Network,
    Round,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.store import (
    DAMAGE,
    Store,
    array_path,
    replace_file,
    settle,
)
from napari_spaceediting.session.traversals import (
    StoredTraversal,
    kept_from_dict,
    kept_to_dict,
)
from napari_spaceediting.session.versions import VERSION, brought_up

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
    ids = state.dataset.ids
    try:
        store = Store(folder)
        values = {
            "version": VERSION,
            "dataset": _dataset_to_dict(state.dataset, store),
            "checkpoint": _checkpoint_to_dict(state.checkpoint, store),
            "log": {
                "done": [edit_to_dict(edit, ids) for edit in state.log.done],
                "undone": [edit_to_dict(edit, ids) for edit in state.log.undone],
            },
            "rounds": [_round_to_dict(past, ids, store) for past in state.rounds],
            "answers": [answer_to_dict(answer, ids) for answer in state.answers],
            "train": asdict(state.train),
            "map": asdict(state.map),
            "retrain": asdict(state.retrain),
            "seed": state.seed,
        }
        # After the checkpoints, whose networks they name.
        traversals = [kept_to_dict(kept, store) for kept in state.traversals]
        index = json.dumps({**values, "traversals": traversals}, indent=1).encode()
        store.settle()
        replace_file(folder / _INDEX, lambda file: file.write(index))
        settle(folder)
    except OSError as error:
        raise SessionError(_cannot_save(folder, error)) from error
    store.forget_the_rest()
    for kept, entry in zip(state.traversals, traversals, strict=True):
        kept.outcome.source = StoredTraversal(store.arrays, entry["outcome"])


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
        state = _Reader(Store(folder), left).state(brought_up(values, left.say))
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


def _dataset_to_dict(dataset: ImageDataset, store: Store) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "ids": store.put(dataset.ids),
        "labels": store.put(dataset.labels),
        "class_names": list(dataset.class_names),
        "split": store.put(dataset.split),
        "pixels": _pixels_to_dict(dataset, store),
        "scaling": dataset.scaling.to_dict(),
        "image_size": list(dataset.image_size),
        "columns": {
            name: store.put(_plain(values)) for name, values in dataset.columns.items()
        },
        "skipped": [[entry.name, entry.reason] for entry in dataset.skipped],
        "notes": list(dataset.notes),
    }


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Return values without Python objects, so that nothing needs pickling."""
    return values.astype(str) if values.dtype.hasobject else values


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


def _pixels_from_dict(values: Mapping[str, Any], store: Store) -> PixelSource:
    """Find pixels again."""
    if "joined" in values:
        return join(*(_pixels_from_dict(part, store) for part in values["joined"]))
    if "stored" not in values:
        return pixels_from_spec(values, store.folder)
    path = array_path(store.arrays, values["stored"])
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


def _checkpoint_to_dict(checkpoint: Checkpoint, store: Store) -> dict[str, Any]:
    network, drawn = checkpoint.network, checkpoint.map
    return {
        "class_names": list(checkpoint.class_names),
        "labels": store.put(checkpoint.labels),
        "confirmed": store.put(checkpoint.confirmed),
        "network": network
        and {
            "spec": asdict(network.spec),
            "weights": store.put_weights(network.state),
            "latents": store.put(network.predictions.latents),
            "probabilities": store.put(network.predictions.probabilities),
            "margins": store.put(network.margins),
        },
        "map": drawn
        and {
            "coordinates": store.put(drawn.coordinates),
            "neighbours": store.put(drawn.neighbours),
            "method": drawn.method,
        },
    }


def _round_to_dict(past: Round, ids: NDArray[np.str_], store: Store) -> dict[str, Any]:
    return {
        "edits": [edit_to_dict(edit, ids) for edit in past.edits],
        "settings": asdict(past.settings),
        "before": _checkpoint_to_dict(past.before, store),
        "after": _checkpoint_to_dict(past.after, store),
        "evidence": evidence_to_dict(past.evidence),
        "losses": store.put(past.losses),
        "seconds": past.seconds,
        "created": past.created,
        "status": past.status.value,
    }


class _Reader:
    """Builds a session of the present version from its values."""

    def __init__(self, store: Store, left: Leftovers) -> None:
        self._store = store
        self._left = left
        self._index_of: dict[str, int] = {}
        self._checkpoints: dict[str, Checkpoint] = {}

    def state(self, values: Mapping[str, Any]) -> SessionState:
        """Return the whole of it."""
        values = self._left.known(
            values, ["version", *names_of(SessionState)], "the session"
        )
        dataset = self._dataset(values["dataset"])
        self._index_of = {str(name): at for at, name in enumerate(dataset.ids)}
        log = self._left.known(values["log"], names_of(EditLog), "the list of edits")
        return SessionState(
            dataset=dataset,
            checkpoint=self._checkpoint(values["checkpoint"]),
            log=EditLog(*(self._edits(log[name]) for name in names_of(EditLog))),
            rounds=tuple(
                self._round(past, f"round {number}")
                for number, past in enumerate(values["rounds"], 1)
            ),
            answers=self._answers(values["answers"]),
            # After the checkpoints, whose networks they name.
            traversals=tuple(
                kept_from_dict(entry, self._store, self._left)
                for entry in values["traversals"]
            ),
            train=self._left.settings(TrainSettings, values["train"], "the training"),
            map=self._left.settings(MapSettings, values["map"], "the map"),
            retrain=self._left.settings(
                RetrainSettings, values["retrain"], "the next round"
            ),
            seed=int(values["seed"]),
        )

    def _dataset(self, values: Mapping[str, Any]) -> ImageDataset:
        get = self._store.get
        values = self._left.known(values, names_of(ImageDataset), "the data set")
        scaling = self._left.known(
            values["scaling"], names_of(IntensityScaling), "the intensity scaling"
        )
        height, width = values["image_size"]
        return ImageDataset(
            name=values["name"],
            ids=get(values["ids"]),
            labels=get(values["labels"]),
            class_names=tuple(values["class_names"]),
            split=get(values["split"]),
            pixels=_pixels_from_dict(values["pixels"], self._store),
            scaling=IntensityScaling.from_dict(scaling),
            image_size=(height, width),
            columns={name: get(key) for name, key in values["columns"].items()},
            skipped=tuple(Skipped(name, reason) for name, reason in values["skipped"]),
            notes=tuple(values["notes"]),
        )

    def _checkpoint(self, values: Mapping[str, Any]) -> Checkpoint:
        """Return a checkpoint; the same object for the same values."""
        key = json.dumps(values)
        if key not in self._checkpoints:
            values = self._left.known(values, names_of(Checkpoint), "a checkpoint")
            self._checkpoints[key] = Checkpoint(
                class_names=tuple(values["class_names"]),
                labels=self._store.get(values["labels"]),
                confirmed=self._store.get(values["confirmed"]),
                network=values["network"] and self._network(values["network"]),
                map=values["map"] and self._map(values["map"]),
            )
        return self._checkpoints[key]

    def _network(self, values: Mapping[str, Any]) -> Network:
        names = "spec", "weights", "latents", "probabilities", "margins"
        values = self._left.known(values, names, "a network")
        spec = self._left.known(values["spec"], names_of(ClassifierSpec), "a network")
        height, width = spec["image_size"]
        get = self._store.get
        return Network(
            spec=ClassifierSpec(**{**spec, "image_size": (int(height), int(width))}),
            state=self._store.get_weights(values["weights"]),
            predictions=Predictions(
                get(values["latents"]), get(values["probabilities"])
            ),
            margins=get(values["margins"]),
        )

    def _map(self, values: Mapping[str, Any]) -> Map:
        values = self._left.known(values, names_of(Map), "a map")
        coordinates, neighbours, method = (values[name] for name in names_of(Map))
        if method not in get_args(Method):
            raise ValueError(f"{method!r} draws no map")
        get = self._store.get
        return Map(get(coordinates), get(neighbours), method)

    def _edits(self, entries: list[dict[str, Any]]) -> tuple[Edit, ...]:
        names = "kind", "images", "start", "end", "intent", "tag", "number"
        return tuple(
            edit_from_dict(self._left.known(entry, names, "an edit"), self._index_of)
            for entry in entries
        )

    def _answers(self, entries: list[dict[str, Any]]) -> tuple[Answer, ...]:
        """Return the answers to what can be proposed."""
        names = "kind", "images", "accepted", "signs"
        kinds = {kind.value for kind in ProposalKind}
        for kind in {entry["kind"] for entry in entries} - kinds:
            self._left.say(
                f"Answers to proposals of the kind “{kind}” are left out, as this "
                "version has none."
            )
        return tuple(
            answer_from_dict(
                self._left.known(entry, names, "an answer"), self._index_of
            )
            for entry in entries
            if entry["kind"] in kinds
        )

    def _round(self, values: Mapping[str, Any], name: str) -> Round:
        values = self._left.known(values, names_of(Round), name)
        evidence = self._left.known(
            values["evidence"], names_of(Evidence), f"the evidence of {name}"
        )
        return Round(
            edits=self._edits(values["edits"]),
            settings=self._left.settings(RetrainSettings, values["settings"], name),
            before=self._checkpoint(values["before"]),
            after=self._checkpoint(values["after"]),
            evidence=evidence_from_dict(evidence),
            losses=self._store.get(values["losses"]),
            seconds=values["seconds"],
            created=values["created"],
            status=RoundStatus(values["status"]),
        )
