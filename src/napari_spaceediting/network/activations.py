"""Outputs of the frozen part of a network, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_spaceediting.data.cache import default_cache_dir, make_room
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.prepared import Prepared
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.memory import blocks, rows_at_once
from napari_spaceediting.network.classifier import LatentClassifier
from napari_spaceediting.network.device import (
    mixed_precision,
    pick_device,
    torch_errors_in_words,
)
from napari_spaceediting.network.processes import Processes, processes
from napari_spaceediting.network.spec import Trainable

Fetch = Callable[[NDArray[np.intp]], NDArray[np.float32]]
"""From dataset indices to the inputs of the end of a network that trains."""

FrozenUpTo = Literal["head", "last_block"]
"""Values of `Trainable` with a frozen part."""

_FORMAT = 1
"""Part of every key: to be raised when the same weights come to compute otherwise."""

_CACHE_LIMIT = 20 << 30
"""Bytes of activations that are kept; beyond it, those unused for longest go."""

_SAVE_EVERY = 1024
"""Images after which those that are finished are written down."""


def activations(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
    *,
    cache_dir: Path | None = None,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, NDArray[np.float32]]:
    """Compute what the tail of a network takes, for every image, or find it on disk.

    The file's name is a digest of the images and of the frozen weights, so whatever
    has been computed once is found again by any training, round or session. If the
    work is interrupted, it goes on from the last finished row the next time. Several
    processes (see `processes`) share the images out; they need a common folder. What
    has not been used for longest is deleted when the folder holds more than 20 GiB.

    Parameters
    ----------
    classifier : LatentClassifier
        Moved to the device.
    dataset : ImageDataset
        N images.
    trainable : {"head", "last_block"}
        Which activations: what `classifier.body(trainable)` gives.
    cache_dir : Path, optional
        `default_cache_dir()` if not given.
    device : str
        As for `pick_device`.
    batch_size : int
        Images per step, at most. On processors it is as many as leave what they take
        on the way in fast memory, which spares the system most of its work.

    Yields
    ------
    Progress
        In images, after each batch; nothing where all is on disk.

    Returns
    -------
    (N, ...) float32 array
        Memory-mapped, read-only.

    Raises
    ------
    TrainingFailed
        If torch cannot run the network, such as for lack of memory.
    DataError
        If an image cannot be read.
    SpaceEditingError
        If the disk has no room for them.
    """
    body = classifier.body(trainable)
    path = _path(classifier, dataset, trainable, cache_dir)
    path.parent.mkdir(parents=True, exist_ok=True)
    crew = processes()
    crew.wait()
    ledger = _Ledger(path, len(dataset))
    if ledger.unfinished():
        target = pick_device(device)
        classifier.to(target)
        row_shape, taken = _probe(body, classifier, dataset, target)
        is_large = target.type == "cpu" and rows_at_once(taken) < batch_size
        if is_large:
            batch_size = rows_at_once(taken)
        if crew.rank == 0:
            _begin(path, ledger, row_shape, body, classifier, dataset, trainable)
        crew.wait()
        ledger = _Ledger(path, len(dataset))
        todo = _shared_out(ledger.unfinished(), crew)
        crew.wait()
        n_before, n_here = ledger.n_finished, 0
        prepared = Prepared(dataset, cache_dir)
        try:
            for start, stop in _batches(todo, batch_size):
                images = torch.from_numpy(prepared.images(np.arange(start, stop)))
                if is_large:  # saves processors a tenth
                    images = images.contiguous(memory_format=torch.channels_last)
                with torch_errors_in_words(), torch.inference_mode():
                    with mixed_precision(target):
                        rows = body(images.to(target))
                    batch = rows.float().cpu().numpy()
                ledger.write(start, batch)
                n_here += len(batch)
                # The others are about as far.
                done = min(n_before + n_here * crew.size, len(dataset))
                yield Progress(done, len(dataset), "Read the images")
        finally:
            ledger.settle()
        crew.wait()
        if crew.rank == 0:
            _Ledger(path, len(dataset)).gather()
    if crew.rank == 0:
        path.touch()
    found: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return found


def n_unfinished(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo = "head",
    *,
    cache_dir: Path | None = None,
) -> int:
    """Return how many images `activations` would have to compute."""
    path = _path(classifier, dataset, trainable, cache_dir)
    return len(dataset) - _Ledger(path, len(dataset)).n_finished


def _path(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: FrozenUpTo,
    cache_dir: Path | None,
) -> Path:
    """Return the file that holds these activations, or is to hold them."""
    key = _key(classifier.body(trainable), classifier, dataset, trainable)
    return (cache_dir or default_cache_dir()) / "activations" / f"{key}.npy"


class _Ledger:
    """Which rows of a file of activations are finished.

    Each process writes down its own in a file beside it, so that any number of them can
    go on with what others have begun.

    Parameters
    ----------
    path : Path
        The file of rows; it need not be there.
    n_rows : int
        Rows that it must have.
    """

    def __init__(self, path: Path, n_rows: int) -> None:
        rank = processes().rank
        self._path = path
        self._own = path.with_suffix(f".{rank}.json" if rank else ".json")
        self._n_rows = n_rows
        self._finished = np.zeros(n_rows, bool)
        self._unsafe = 0
        self._file: BinaryIO | None = None
        self._offset = 0
        with suppress(OSError, ValueError, KeyError, TypeError, EOFError):
            rows = np.load(path, mmap_mode="r")
            if len(rows) == n_rows:
                self._offset = rows.offset
                for entry in self._entries():
                    for start, stop in json.loads(entry.read_text())["finished"]:
                        self._finished[start:stop] = True

    @property
    def n_finished(self) -> int:
        """How many rows are finished."""
        return int(self._finished.sum())

    def unfinished(self) -> list[tuple[int, int]]:
        """Return first row and end of each stretch that is not finished."""
        return _stretches(~self._finished)

    def write(self, start: int, batch: NDArray[np.float32]) -> None:
        """Write rows; now and then, make them safe and say so."""
        if self._file is None:
            self._file = self._path.open("r+b")
        # Not by a memory map: processes on several machines would overwrite each
        # other's pages.
        self._file.seek(self._offset + start * batch[0].nbytes)
        self._file.write(np.ascontiguousarray(batch, np.float32).tobytes())
        self._finished[start : start + len(batch)] = True
        self._unsafe += len(batch)
        if self._unsafe >= _SAVE_EVERY:
            self._write_down()

    def settle(self) -> None:
        """Write down what is left, and close the file."""
        if self._unsafe:
            self._write_down()
        if self._file is not None:
            self._file.close()
            self._file = None

    def gather(self) -> None:
        """Put what all processes have written down into one entry."""
        others = [entry for entry in self._entries() if entry != self._own]
        self._note()
        for entry in others:
            entry.unlink()

    def forget(self) -> None:
        """Begin anew."""
        self._finished[:] = False
        for entry in self._entries():
            entry.unlink()

    def finish(self, n_rows: int) -> None:
        """Say that the first rows are finished."""
        self._finished[:n_rows] = True
        self._note()

    def _write_down(self) -> None:
        """Make the rows safe, then say so, in that order."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._note()
        self._unsafe = 0

    def _note(self) -> None:
        unfinished = self._own.with_suffix(".tmp")
        unfinished.write_text(json.dumps({"finished": _stretches(self._finished)}))
        os.replace(unfinished, self._own)  # noqa: PTH105

    def _entries(self) -> list[Path]:
        return sorted(self._path.parent.glob(f"{self._path.stem}*.json"))


def _stretches(rows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first row and end of each stretch of rows that are True."""
    edges = np.flatnonzero(np.diff(rows, prepend=False, append=False))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _shared_out(
    stretches: list[tuple[int, int]], crew: Processes
) -> list[tuple[int, int]]:
    """Return those of the stretches that are for this process."""
    share = crew.share(sum(stop - start for start, stop in stretches))
    mine, passed = [], 0
    for start, stop in stretches:
        first = max(start, start + share.start - passed)
        last = min(stop, start + share.stop - passed)
        if first < last:
            mine.append((first, last))
        passed += stop - start
    return mine


def _batches(
    stretches: list[tuple[int, int]], batch_size: int
) -> Iterator[tuple[int, int]]:
    for first, last in stretches:
        for start in range(first, last, batch_size):
            yield start, min(start + batch_size, last)


def _probe(
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    device: torch.device,
) -> tuple[tuple[int, ...], int]:
    """Return the shape of what a network gives of an image, and bytes that it takes.

    These are inputs and outputs of the module that has the largest.
    """
    taken = 0

    def note(_: nn.Module, given: tuple[object, ...], result: object) -> None:
        nonlocal taken
        tensors = [x for x in (*given, result) if isinstance(x, Tensor)]
        taken = max(taken, sum(tensor.nbytes for tensor in tensors))

    image = torch.zeros(1, classifier.spec.in_channels, *dataset.image_size)
    hooks = [module.register_forward_hook(note) for module in body.modules()]
    try:
        with torch_errors_in_words(), torch.inference_mode():
            row_shape = body(image.to(device)).shape[1:]
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(row_shape), taken


def _begin(
    path: Path,
    ledger: _Ledger,
    row_shape: tuple[int, ...],
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: str,
) -> None:
    """Make the file of rows unless it is there, with what is known of them already."""
    if ledger.n_finished:
        ledger.gather()
        return
    ledger.forget()
    rows = _new_file(path, (len(dataset), *row_shape))
    earlier = _earlier(body, classifier, dataset, trainable, path.parent)
    if earlier is not None:
        for part in blocks(len(earlier), earlier[:1].nbytes):
            rows[part] = earlier[part]
        rows.flush()
        ledger.finish(len(earlier))


def _new_file(
    path: Path, shape: tuple[int, ...]
) -> np.memmap[tuple[int, ...], np.dtype[np.float32]]:
    """Make room and a file for activations."""
    needed = 4 * math.prod(shape)
    make_room(path, needed, _CACHE_LIMIT, "activations, train only the head")
    return open_memmap(path, "w+", np.float32, shape)


def tail_inputs(
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: Trainable,
    *,
    cache_dir: Path | None = None,
    device: str = "auto",
    batch_size: int = 256,
) -> Generator[Progress, None, Fetch]:
    """Return what gives the inputs of `classifier.tail(trainable)` by dataset index.

    That is the images themselves where the whole network trains, and cached
    activations else; parameters, progress and errors as for `activations`.
    """
    if trainable == "all":
        prepared = Prepared(dataset, cache_dir)
        if processes().size == 1:
            yield from prepared.fill()
        return prepared.images
    rows = yield from activations(
        classifier,
        dataset,
        trainable,
        cache_dir=cache_dir,
        device=device,
        batch_size=batch_size,
    )
    return rows.__getitem__


def _key(
    body: nn.Module, classifier: LatentClassifier, dataset: ImageDataset, trainable: str
) -> str:
    digest = hashlib.sha256()
    facts = [_FORMAT, dataset.content_key(), len(dataset), classifier.spec.backbone]
    digest.update(json.dumps([*facts, trainable, "float32"]).encode())
    for name, value in body.state_dict().items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.cpu().numpy()).tobytes())
    return digest.hexdigest()[:32]


def _earlier(
    body: nn.Module,
    classifier: LatentClassifier,
    dataset: ImageDataset,
    trainable: str,
    folder: Path,
) -> NDArray[np.float32] | None:
    """Return what is known of the images that were there before others joined them."""
    before = dataset.before_joined()
    while before is not None:
        path = folder / f"{_key(body, classifier, before, trainable)}.npy"
        if path.exists() and not _Ledger(path, len(before)).unfinished():
            found: NDArray[np.float32] = np.load(path, mmap_mode="r")
            return found
        before = before.before_joined()
    return None
