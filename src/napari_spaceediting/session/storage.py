"""A session on disk.

A session is a folder ``NAME.spaceediting``. Arrays (``arrays/*.npy``) and weights
(``weights/*.safetensors``) are named by a digest of their content and never change
once written; ``session.json`` says which of them make up the session. It is replaced
in one step after everything that it names is on disk, so that a crash at any moment
leaves the last good state, and saving again writes only what is new. Nothing is ever
unpickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

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
from napari_spaceediting.editing.answers import answer_from_dict, answer_to_dict
from napari_spaceediting.editing.edits import Edit, edit_from_dict, edit_to_dict
from napari_spaceediting.editing.evidence import evidence_from_dict, evidence_to_dict
from napari_spaceediting.editing.log import EditLog
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import SessionError
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    State,
    TrainSettings,
)
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.state import (
    Checkpoint,
    Map,
    Network,
    Round,
    RoundStatus,
    SessionState,
)
from napari_spaceediting.session.traversals import (
    DAMAGE,
    KeptTraversal,
    Outcome,
    StoredTraversal,
    array_path,
    asked_from_dict,
    asked_to_dict,
    read_array,
    traversal_to_dict,
)
from napari_spaceediting.traversal.result import Traversal

SUFFIX = ".spaceediting"
_VERSION = 1
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
        store = _Store(folder)
        values = {
            "version": _VERSION,
            "dataset": _dataset_to_dict(state.dataset, store),
            "checkpoint": _checkpoint_to_dict(state.checkpoint, store),
            "log": {
                "done": [edit_to_dict(e, state.dataset.ids) for e in state.log.done],
                "undone": [
                    edit_to_dict(e, state.dataset.ids) for e in state.log.undone
                ],
            },
            "rounds": [
                _round_to_dict(past, state.dataset.ids, store) for past in state.rounds
            ],
            "answers": [
                answer_to_dict(answer, state.dataset.ids) for answer in state.answers
            ],
            # After the checkpoints, whose networks they name.
            "traversals": [_kept_to_dict(kept, store) for kept in state.traversals],
            "train": asdict(state.train),
            "map": asdict(state.map),
            "retrain": state.retrain.to_dict(),
            "seed": state.seed,
        }
        index = json.dumps(values, indent=1).encode()
        store.settle()
        _replace(folder / _INDEX, lambda file: file.write(index))
        _settle(folder)
    except OSError as error:
        raise SessionError(_cannot_save(folder, error)) from error
    store.forget_the_rest()
    store.let_outcomes_go()


def load_session(folder: Path) -> SessionState:
    """Open a saved session; arrays are memory-mapped.

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
    try:
        values = json.loads(index.read_bytes())
        if values["version"] > _VERSION:
            raise SessionError(
                f"{folder} was saved by a newer version of napari-spaceediting: "
                "update it to open this session."
            )
        store = _Store(folder)
        dataset = _dataset_from_dict(values["dataset"], store)
        index_of = {str(name): at for at, name in enumerate(dataset.ids)}

        def edits(entries: list[dict[str, Any]]) -> tuple[Edit, ...]:
            return tuple(edit_from_dict(entry, index_of) for entry in entries)

        return SessionState(
            dataset=dataset,
            checkpoint=_checkpoint_from_dict(values["checkpoint"], store),
            log=EditLog(edits(values["log"]["done"]), edits(values["log"]["undone"])),
            rounds=tuple(
                _round_from_dict(past, edits, store) for past in values["rounds"]
            ),
            # Sessions from before guidance learnt from answers have none.
            answers=tuple(
                answer_from_dict(entry, index_of) for entry in values.get("answers", ())
            ),
            # Nor have they traversals, from before these were kept.
            traversals=tuple(
                _kept_from_dict(entry, store) for entry in values.get("traversals", ())
            ),
            train=TrainSettings(**values["train"]),
            map=MapSettings(**values["map"]),
            retrain=RetrainSettings.from_dict(values["retrain"]),
            seed=values["seed"],
        )
    except (*DAMAGE, SafetensorError) as error:
        raise SessionError(
            f"{folder} is damaged ({type(error).__name__}: {error}): restore it from "
            "a copy."
        ) from error


class _Store:
    """Arrays and weights of one session folder, by digest of their content."""

    def __init__(self, folder: Path) -> None:
        self._arrays = folder / "arrays"
        self._weights = folder / "weights"
        self._used: set[Path] = set()
        self._known: dict[int, tuple[Any, str]] = {}
        self._outcomes: list[tuple[Outcome, StoredTraversal]] = []
        self.checkpoints: dict[str, Checkpoint] = {}
        self.networks: dict[str, State] = {}

    def put(self, array: NDArray[Any]) -> str:
        """Write an array, unless it is there; return its digest."""

        def write() -> str:
            contiguous = np.ascontiguousarray(array)
            head = f"{contiguous.dtype.str}{contiguous.shape}".encode()
            digest = hashlib.blake2b(head, digest_size=16)
            digest.update(contiguous.reshape(-1).view(np.uint8).data)
            key = digest.hexdigest()
            self._write_once(
                array_path(self._arrays, key),
                lambda file: np.save(file, contiguous, allow_pickle=False),
            )
            return key

        return self._once(array, write)

    def get(self, key: str) -> NDArray[Any]:
        """Return an array, memory-mapped where it is large."""
        return read_array(array_path(self._arrays, key))

    def put_weights(self, weights: State) -> str:
        """Write weights, unless they are there; return their digest."""

        def write() -> str:
            arrays = {k: np.asarray(v, order="C") for k, v in weights.items()}
            data = save(arrays)
            key = hashlib.blake2b(data, digest_size=16).hexdigest()
            self._write_once(
                self._weights / f"{key}.safetensors", lambda file: file.write(data)
            )
            return key

        return self._once(weights, write)

    def get_weights(self, key: str) -> State:
        """Return weights; the same object for the same weights."""
        if key not in self.networks:
            self.networks[key] = load_file(self._weights / f"{key}.safetensors")
        return self.networks[key]

    def key_of(self, weights: State | None) -> str | None:
        """Return the digest of weights that were written, None for others."""
        return self._known.get(id(weights), (None, None))[1]

    def put_outcome(self, outcome: Outcome) -> dict[str, Any]:
        """Write what came of a traversal, unless it is there; return how to find it.

        A file of it that is gone is not missed before somebody wants to see it.
        """
        source = outcome.source
        if isinstance(source, Traversal):
            values = traversal_to_dict(source, self.put)
        else:
            values = dict(source.values)
            for path in source.paths:
                here = self._arrays / path.name
                self._used.add(here)
                if path.exists():
                    self._write_once(here, _copy_of(path))
        self._outcomes.append((outcome, StoredTraversal(self._arrays, values)))
        return values

    def get_outcome(self, values: Mapping[str, Any]) -> Outcome:
        """Find what came of a traversal again; nothing is read."""
        return Outcome(StoredTraversal(self._arrays, values))

    def let_outcomes_go(self) -> None:
        """Have what came of traversals read from its files, now that it is in them."""
        for outcome, stored in self._outcomes:
            outcome.source = stored

    def put_pixels(self, dataset: ImageDataset) -> dict[str, Any]:
        """Return what it takes to find pixels again; store those in memory only."""
        pixels = dataset.pixels
        if isinstance(pixels, JoinedPixels):
            return {"joined": [self.put_pixels(part) for part in dataset.parts()]}
        if isinstance(pixels, StoredPixels) and _is_ours(pixels):
            key = pixels.path.stem
            self._write_once(self._arrays / pixels.path.name, _copy_of(pixels.path))
        else:
            spec = None if _is_ours(pixels) else pixels.to_spec(self._arrays.parent)
            if spec is not None:
                return spec
            stack = dataset.raw_stack()
            is_flat = pixels.n_channels == 1 and pixels.read(0).ndim == 2
            key = self.put(stack[..., 0] if is_flat else stack)
        return {"stored": key, "length": len(pixels), "n_channels": pixels.n_channels}

    def get_pixels(self, values: Mapping[str, Any]) -> PixelSource:
        """Find pixels again."""
        if "joined" in values:
            return join(*map(self.get_pixels, values["joined"]))
        if "stored" not in values:
            return pixels_from_spec(values, self._arrays.parent)
        path = array_path(self._arrays, values["stored"])
        axes: Axes = "NYX" if self.get(values["stored"]).ndim == 3 else "NYXC"
        return StoredPixels(path, None, axes, values["length"], values["n_channels"])

    def settle(self) -> None:
        """Put the names of all files on disk, not just what they hold."""
        for folder in (self._arrays, self._weights):
            if folder.exists():
                _settle(folder)

    def forget_the_rest(self) -> None:
        """Delete arrays and weights that the session no longer names.

        What cannot be deleted, such as a file that is open on Windows, waits for the
        next time.
        """
        for folder in (self._arrays, self._weights):
            for path in folder.glob("*"):
                if path not in self._used:
                    with suppress(OSError):
                        path.unlink()

    def _once(self, value: Any, write: Callable[[], str]) -> str:
        """Write an object only once; it is kept alive, so that its id stays its own."""
        if id(value) not in self._known:
            self._known[id(value)] = (value, write())
        return self._known[id(value)][1]

    def _write_once(self, path: Path, write: Callable[[Any], object]) -> None:
        self._used.add(path)
        if not path.exists():
            _replace(path, write)


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


def _copy_of(source: Path) -> Callable[[Any], None]:
    def write(file: Any) -> None:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file)

    return write


def _replace(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file beside its place and put it there when all of it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        with unfinished.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _settle(folder: Path) -> None:
    """Put the names in a folder on disk, where the file system knows how to."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


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


def _dataset_to_dict(dataset: ImageDataset, store: _Store) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "ids": store.put(dataset.ids),
        "labels": store.put(dataset.labels),
        "class_names": list(dataset.class_names),
        "split": store.put(dataset.split),
        "pixels": store.put_pixels(dataset),
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


def _dataset_from_dict(values: Mapping[str, Any], store: _Store) -> ImageDataset:
    height, width = values["image_size"]
    return ImageDataset(
        name=values["name"],
        ids=store.get(values["ids"]),
        labels=store.get(values["labels"]),
        class_names=tuple(values["class_names"]),
        split=store.get(values["split"]),
        pixels=store.get_pixels(values["pixels"]),
        scaling=IntensityScaling.from_dict(values["scaling"]),
        image_size=(height, width),
        columns={name: store.get(key) for name, key in values["columns"].items()},
        skipped=tuple(Skipped(name, reason) for name, reason in values["skipped"]),
        notes=tuple(values["notes"]),
    )


def _checkpoint_to_dict(checkpoint: Checkpoint, store: _Store) -> dict[str, Any]:
    network, drawn = checkpoint.network, checkpoint.map
    return {
        "class_names": list(checkpoint.class_names),
        "labels": store.put(checkpoint.labels),
        "confirmed": store.put(checkpoint.confirmed),
        "network": network
        and {
            "spec": network.spec.to_dict(),
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


def _checkpoint_from_dict(values: Mapping[str, Any], store: _Store) -> Checkpoint:
    key = json.dumps(values)
    if key not in store.checkpoints:
        store.checkpoints[key] = _read_checkpoint(values, store)
    return store.checkpoints[key]


def _read_checkpoint(values: Mapping[str, Any], store: _Store) -> Checkpoint:
    network, drawn = values["network"], values["map"]
    return Checkpoint(
        class_names=tuple(values["class_names"]),
        labels=store.get(values["labels"]),
        confirmed=store.get(values["confirmed"]),
        network=network
        and Network(
            spec=ClassifierSpec.from_dict(network["spec"]),
            state=store.get_weights(network["weights"]),
            predictions=Predictions(
                store.get(network["latents"]), store.get(network["probabilities"])
            ),
            margins=store.get(network["margins"]),
        ),
        map=drawn
        and Map(
            store.get(drawn["coordinates"]),
            store.get(drawn["neighbours"]),
            drawn["method"],
        ),
    )


def _round_to_dict(past: Round, ids: NDArray[np.str_], store: _Store) -> dict[str, Any]:
    return {
        "edits": [edit_to_dict(edit, ids) for edit in past.edits],
        "settings": past.settings.to_dict(),
        "before": _checkpoint_to_dict(past.before, store),
        "after": _checkpoint_to_dict(past.after, store),
        "evidence": evidence_to_dict(past.evidence),
        "losses": store.put(past.losses),
        "seconds": past.seconds,
        "created": past.created,
        "status": past.status.value,
    }


def _round_from_dict(
    values: Mapping[str, Any],
    edits: Callable[[list[dict[str, Any]]], tuple[Edit, ...]],
    store: _Store,
) -> Round:
    return Round(
        edits=edits(values["edits"]),
        settings=RetrainSettings.from_dict(values["settings"]),
        before=_checkpoint_from_dict(values["before"], store),
        after=_checkpoint_from_dict(values["after"], store),
        evidence=evidence_from_dict(values["evidence"]),
        losses=store.get(values["losses"]),
        seconds=values["seconds"],
        created=values["created"],
        status=RoundStatus(values["status"]),
    )


def _kept_to_dict(kept: KeptTraversal, store: _Store) -> dict[str, Any]:
    return {
        **asked_to_dict(kept.asked),
        "network": store.key_of(kept.weights),
        "created": kept.created,
        "outcome": store.put_outcome(kept.outcome),
    }


def _kept_from_dict(values: Mapping[str, Any], store: _Store) -> KeptTraversal:
    return KeptTraversal(
        asked=asked_from_dict(values),
        outcome=store.get_outcome(values["outcome"]),
        weights=store.networks.get(values["network"]),
        created=values["created"],
    )
