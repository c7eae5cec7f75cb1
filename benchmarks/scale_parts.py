"""The parts of the benchmark of scale; each runs in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import common
from napari_spaceediting.data.dataset import UNLABELLED, ImageDataset, Split
from napari_spaceediting.data.fashion_mnist import load_fashion_mnist
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import StoredPixels
from napari_spaceediting.editing.image_edits import Pin
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.jobs import ExtractActivations
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    Predictions,
    Trainable,
    TrainSettings,
)
from napari_spaceediting.projection.align import align
from napari_spaceediting.projection.layout import MapJob
from napari_spaceediting.projection.pca import pca_map
from napari_spaceediting.projection.placing import place
from napari_spaceediting.projection.quality import (
    neighbourhood_preservation,
    trustworthiness,
)
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.state import Checkpoint, Network
from napari_spaceediting.session.storage import load_session, save_session
from scale_photographs import photographs

SHORT, FEW, MANY = "fashion", "few", "many"
"""Settings of a round: a network trained for 10 epochs on 200 labels a class; one
trained on them as it is by default; one trained so on all labels but those that the
edits name."""
ARMS: dict[str, Trainable] = {"cached": "head", "block": "last_block", "pixels": "all"}
LABELS_PER_CLASS = 200
PRECISION = (("small_cnn", 28, 128), ("resnet18", 64, 32))
"""Network, side of the images and images at once."""
PRECISION_STEPS = 10
EDITS = 100
SEEDS = 3
FITS = 2
DIMENSIONS = 512
_NEIGHBOURS = 15
_TRUST_SAMPLE_SEED = 7

Figures = dict[str, Any]


class Timer:
    """Wall and processor seconds of this process, of all its threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.processor: dict[str, list[float]] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - wall)
        self.processor.setdefault(name, []).append(time.process_time() - processor)

    def figures(self) -> Figures:
        """Return what was measured."""
        return {"seconds": self.seconds, "processor": self.processor}


# Fashion-MNIST


def fashion(quick: bool, setting: str = SHORT) -> ImageDataset:
    """Return all of it, with the labels that a setting has.

    To be trained with early stopping, a network needs images for validation. `SHORT`
    takes an eighth of the authors' training images, as a user gets it; the others take
    a quarter of the test images, so that 60,000 train.
    """
    n_train, n_test = (1_200, 600) if quick else (60_000, 10_000)
    everything = finish(load_fashion_mnist(n_train, n_test))
    rng = np.random.default_rng(0)
    if setting == SHORT:
        return everything.keep_labels(LABELS_PER_CLASS // (10 if quick else 1), rng)
    split = np.where(everything.split == Split.TEST, Split.TEST, Split.TRAIN)
    split[rng.choice(np.flatnonzero(split), n_test // 4, False)] = Split.VALIDATION
    everything = replace(everything, split=split.astype(np.int8))
    if setting == FEW:
        return everything.keep_labels(LABELS_PER_CLASS, rng)
    labels = everything.labels.copy()
    train = np.flatnonzero(split == Split.TRAIN)
    labels[rng.choice(train, EDITS, replace=False)] = UNLABELLED
    return replace(everything, labels=labels)


def with_edits(work: Path, seed: int, quick: bool, setting: str = SHORT) -> Session:
    """Return a session with a network, a linear map and 100 pins of unlabelled images.

    The edits name the true class of images chosen at random. It is kept on disk.
    """
    folder = work / f"{setting}-{seed}.spaceediting"
    if folder.exists():
        return Session(load_session(folder))
    train = TrainSettings(device="cpu", seed=seed)
    if setting == SHORT:
        train = replace(train, epochs=2 if quick else 10)
    session = new_session(
        fashion(quick, setting),
        train=train,
        map_settings=MapSettings(method="pca"),
        seed=seed,
    )
    session.take_network(run_job(session.training()))
    session.take_map(run_job(session.mapping()))
    dataset, rng = session.dataset, np.random.default_rng(seed)
    free = np.flatnonzero(~dataset.held_out & ~dataset.is_labelled)
    truth = dataset.columns["truth"]
    for at in rng.choice(free, EDITS, replace=False):
        session.apply(Pin(np.array([at]), dataset.class_names[truth[at]]))
    save_session(session.state, folder)
    return Session(load_session(folder))


def retrain(work: Path, quick: bool, setting: str = SHORT) -> Figures:
    """Retrain on cached activations, and as many epochs from pixels, in turn."""
    import torch

    torch.set_num_threads(1)
    timer, accuracy = Timer(), {}
    dataset = fashion(quick, setting)
    n_train = int((dataset.split == Split.TRAIN).sum())
    for seed in range(1 if quick else SEEDS):
        with timer.of("train"):
            session = with_edits(work, seed, quick, setting)
        spec, state = session.network_or()
        job = ExtractActivations(session.dataset, spec, state, device="cpu")
        with timer.of("extract"):
            run_job(job)
        run_job(replace(job, trainable="last_block"))
        if seed == 0:
            # What torch imports at its first training is not counted.
            few = RetrainSettings(steps=2, arms=(), device="cpu")
            session.set_retrain_settings(few)
            run_job(session.retraining().retrain)
        for name, trainable in ARMS.items():
            settings = RetrainSettings(
                steps=max(1, n_train // 128),
                trainable=trainable,
                arms=(),
                seed=seed,
                device="cpu",
            )
            session.set_retrain_settings(settings)
            with timer.of(name):
                result = run_job(session.retraining().retrain)
            arms = result.evidence.arms
            accuracy.setdefault(name, []).append(arms["after"].accuracy)
            if name == "cached" and seed == 0 and setting == SHORT:
                np.save(work / "latents-after.npy", result.predictions.latents)
        accuracy.setdefault("before", []).append(arms["before"].accuracy)
        if seed == 0 and setting == SHORT:
            network = session.shown.network
            assert network is not None
            np.save(work / "latents.npy", network.predictions.latents)
    measured = int((dataset.split == Split.TEST).sum())
    return {
        **timer.figures(),
        "accuracy": accuracy,
        "train": n_train,
        "test": measured,
        "steps": n_train // 128,
    }


def precision(work: Path, quick: bool) -> Figures:
    """Read a batch and train on it in float32 and in bfloat16, in turn."""
    import torch
    from torch.nn import functional as F

    from napari_spaceediting.network import device as devices
    from napari_spaceediting.network.classifier import LatentClassifier, classifier_from

    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {}

    def step(
        classifier: LatentClassifier, images: torch.Tensor, *, mixed: bool, learn: bool
    ) -> float:
        devices.gains_by_bfloat16 = lambda device: mixed
        begun = time.process_time()
        with torch.set_grad_enabled(learn):
            _, logits = classifier.train(learn)(images)
            if learn:
                F.cross_entropy(logits, torch.arange(len(images)) % 10).backward()
        return time.process_time() - begun

    for backbone, side, n in PRECISION:
        spec = ClassifierSpec(backbone, n_classes=10, image_size=(side, side))
        classifier, images = classifier_from(spec), torch.rand(n, 1, side, side)
        for turn in range(PRECISION_STEPS + 1):
            for what, kind in product(("read", "train"), ("float32", "bfloat16")):
                mixed, learn = kind == "bfloat16", what == "train"
                took = step(classifier, images, mixed=mixed, learn=learn)
                # At its first step torch chooses how to do it.
                if turn:
                    seconds.setdefault(f"{what} {backbone} {kind}", []).append(took)
    return {"seconds": seconds, "networks": PRECISION}


def _quality(latents: NDArray[Any], layout: NDArray[Any]) -> dict[str, float]:
    from napari_spaceediting.projection.neighbours import nearest

    near, _ = nearest(latents, _NEIGHBOURS)
    seed = _TRUST_SAMPLE_SEED
    return {
        "trustworthiness": trustworthiness(latents, layout, _NEIGHBOURS, seed),
        "preservation": neighbourhood_preservation(near, layout, seed),
    }


def _umap(latents: NDArray[Any]) -> NDArray[Any]:
    import umap

    found: NDArray[Any] = umap.UMAP().fit_transform(latents)
    return found


def _tsne(latents: NDArray[Any]) -> NDArray[Any]:
    import openTSNE

    return np.asarray(openTSNE.TSNE(n_jobs=2, random_state=0).fit(latents))


def _pacmap(latents: NDArray[Any]) -> NDArray[Any]:
    import pacmap

    found: NDArray[Any] = pacmap.PaCMAP(random_state=0).fit_transform(latents)
    return found


def _ours(latents: NDArray[Any], seed: int = 0) -> NDArray[Any]:
    found: NDArray[Any] = run_job(MapJob(latents, MapSettings(seed=seed))).coordinates
    return found


def _compiled(latents: NDArray[Any]) -> None:
    """Let numba compile what both take, before any clock runs."""
    some = latents[:: max(1, len(latents) // 25_000)]
    run_job(MapJob(some, MapSettings(epochs=2)))
    import umap

    umap.UMAP(n_epochs=2).fit(some)


def maps(work: Path, quick: bool) -> Figures:
    """Draw the first map of 70,000 x 64 latents by us and by others, in turn."""
    latents = np.load(work / "latents.npy")
    _compiled(latents)
    timer, quality = Timer(), {}

    def draw(name: str, method: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        with timer.of(name):
            layout = method(latents)
        quality.setdefault(name, []).append(_quality(latents, layout))

    with timer.of("preview"):
        linear = pca_map(latents)
    quality["preview"] = [_quality(latents, linear)]
    for seed in range(FITS):
        draw("ours", lambda found, seed=seed: _ours(found, seed))
        draw("umap", _umap)
    draw("pacmap", _pacmap)
    draw("tsne", _tsne)
    return {**timer.figures(), "quality": quality, "shape": latents.shape}


def _movement(
    coordinates: NDArray[Any], previous: NDArray[Any], stays: NDArray[np.bool_]
) -> float:
    """Return how far images that were to stay moved, in radii of the previous map."""
    moved = np.median(np.linalg.norm(coordinates - previous, axis=1)[stays])
    return float(moved / np.sqrt(previous.var(axis=0).sum()))


def again(work: Path, quick: bool) -> Figures:
    """Draw the map after a retraining, from the one before, and cold, in turn."""
    before = np.load(work / "latents.npy")
    after = np.load(work / "latents-after.npy")
    session = with_edits(work, 0, quick)
    stays = ~session.edits.edited
    untouched = stays.astype(np.float32)
    _compiled(before)
    timer = Timer()
    old = _ours(before)
    quality: dict[str, list[dict[str, float]]] = {"ours": [], "umap": []}
    moved: list[float] = []
    cold_before, cold = _umap(before), []
    for _ in range(1 if quick else FITS):
        job = MapJob(after, previous=old, fixed_weight=untouched)
        with timer.of("ours"):
            drawn = run_job(job)
        moved.append(_movement(drawn.coordinates, old, stays))
        quality["ours"].append(_quality(after, drawn.coordinates))
        with timer.of("umap"):
            cold.append(_umap(after))
        quality["umap"].append(_quality(after, cold[-1]))

    def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
        return _movement(align(other, one, untouched), one, stays)

    return {
        **timer.figures(),
        "quality": quality,
        "moved": moved,
        "apart": [apart(cold_before, found) for found in cold],
        "same": [apart(one, other) for one, other in pairwise(cold)],
    }


def adding(work: Path, quick: bool) -> Figures:
    """Add 1,000 images to 69,000 on a UMAP; beside it, draw all anew."""
    session = with_edits(work, 0, quick)
    everything = session.dataset
    rng = np.random.default_rng(1)
    later = np.sort(rng.choice(np.flatnonzero(~everything.held_out), 1_000, False))
    rest = np.setdiff1d(np.arange(len(everything)), later)
    pixels = np.stack([everything.original(int(at)) for at in later])
    np.save(work / "later.npy", pixels)
    part = new_session(everything.subset(rest))
    part.set_train_settings(TrainSettings(epochs=5, device="cpu"))
    part.take_network(run_job(part.training()))
    timer = Timer()
    with timer.of("map"):
        part.take_map(run_job(part.mapping()))
    with timer.of("add"):
        part.take_images(run_job(part.adding(work / "later.npy")))
    shown = part.shown
    assert shown.network is not None
    assert shown.map is not None
    latents, layout = shown.network.predictions.latents, shown.map.coordinates
    drawn = run_job(part.mapping()).coordinates
    new = slice(-len(later), None)
    return {
        **timer.figures(),
        "trustworthiness": {
            "placed": _of_new(latents, layout, new),
            "drawn": _of_new(latents, drawn, new),
        },
        "images": [len(rest), len(later)],
    }


def _of_new(latents: NDArray[Any], layout: NDArray[Any], new: slice) -> float:
    """Return the share of map neighbours that are near in the latents.

    A neighbour among the 15 nearest on the map counts when it is among the nearest 1%
    in the latents.
    """
    from scipy.spatial import KDTree

    near = KDTree(layout).query(layout[new], k=_NEIGHBOURS + 1)[1][:, 1:]
    found = []
    for row, image in zip(near, range(len(latents))[new], strict=True):
        away = np.linalg.norm(latents - latents[image], axis=1)
        limit = np.partition(away, len(latents) // 100)[len(latents) // 100]
        found.append((away[row] <= limit).mean())
    return float(np.mean(found))


def processes(work: Path, quick: bool) -> Figures:
    """Extract and retrain by one process and by two, on two cores."""
    session = with_edits(work, 0, quick)
    settings = RetrainSettings(steps=200, arms=(), device="cpu")
    session.set_retrain_settings(settings)
    timer, folders = Timer(), {}
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launcher = [*(sys.executable, "-m", "torch.distributed.run", "--standalone")]
    for n in (1, 2):
        folder = folders[n] = work / f"by-{n}.spaceediting"
        save_session(replace(session.state, train=session.state.train), folder)
        command = [*launcher, "--nproc-per-node", str(n), "-m", "napari_spaceediting"]
        cache = ["--cache", str(work / f"cache-{n}")]
        report = work / f"extract-{n}.report"
        for name, options in (
            ("extract", ["--json", str(report)]),
            ("retrain", []),
        ):
            with timer.of(f"{name} {n}"):
                subprocess.run(
                    [*command, name, str(folder), *cache, *options],
                    env=environment,
                    check=True,
                    capture_output=True,
                )
        inside = json.loads(report.read_text())["seconds"]
        timer.seconds.setdefault(f"extract inside {n}", []).append(inside)
    one, two = (load_session(folders[n]).rounds[-1].after.network for n in (1, 2))
    assert one is not None
    assert two is not None
    differences = [
        float(
            np.abs(weights - two.state[name]).max() / max(np.abs(weights).max(), 1e-12)
        )
        for name, weights in one.state.items()
        if np.issubdtype(weights.dtype, np.floating)
    ]
    classes = [n.predictions.probabilities.argmax(axis=1) for n in (one, two)]
    return {
        **timer.figures(),
        "weights": max(differences),
        "classes": int((classes[0] != classes[1]).sum()),
    }


# Synthetic latents


def synthetic(n: int, path: Path) -> None:
    """Write half-precision latents: 50 clusters, each spread in 12 directions."""
    rng = np.random.default_rng(0)
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (n, DIMENSIONS))
    centres = rng.standard_normal((50, DIMENSIONS), np.float32)
    spread = 0.35 * rng.standard_normal((50, 12, DIMENSIONS), np.float32)
    cluster = rng.integers(0, 50, n)
    for start in range(0, n, 20_000):
        kind = cluster[start : start + 20_000]
        noise = 0.1 * rng.standard_normal((len(kind), DIMENSIONS), np.float32)
        rows[start : start + len(kind)] = centres[kind] + noise
        for one in range(50):
            at = start + np.flatnonzero(kind == one)
            rows[at] += rng.standard_normal((len(at), 12), np.float32) @ spread[one]
    rows.flush()


def synthetic_session(n: int, work: Path) -> Path:
    """Write a session of n images with a network that gave such latents."""
    folder = work / f"size-{n}.spaceediting"
    path = work / f"size-{n}.npy"
    synthetic(n, path)
    latents = np.load(path, mmap_mode="r")
    pictures = work / f"pictures-{n}.npy"
    np.lib.format.open_memmap(pictures, "w+", np.uint8, (n, 8, 8)).flush()
    labels = np.full(n, -1, np.int64)
    dataset = ImageDataset(
        name="Synthetic",
        ids=np.arange(n).astype(str),
        labels=labels,
        class_names=("one", "other"),
        split=np.zeros(n, np.int8),
        pixels=StoredPixels(pictures, None, "NYX", n, 1),
        scaling=IntensityScaling("dtype"),
        image_size=(8, 8),
    )
    network = Network(
        ClassifierSpec(latent_dim=DIMENSIONS, n_classes=2, image_size=(8, 8)),
        {},
        Predictions(latents, np.full((n, 2), 0.5, np.float32)),
        np.full(n, np.nan, np.float32),
    )
    session = new_session(dataset)
    checkpoint = Checkpoint(("one", "other"), labels, np.zeros(n, bool), network)
    save_session(replace(session.state, checkpoint=checkpoint), folder)
    path.unlink()
    return folder


def size(n: int, work: Path) -> Figures:
    """Open a session of n images with half-precision latents, map it, place, save."""
    folder = work / f"size-{n}.spaceediting"
    if not folder.exists():
        # In another process: what it takes to make the data is not to be measured.
        command = [sys.executable, __file__, f"make-{n}", str(work)]
        subprocess.run(command, check=True)
    _compile_for(n)
    timer = Timer()
    with Peak() as peak:
        with timer.of("open"):
            session = Session(load_session(folder))
        network = session.shown.network
        assert network is not None
        latents = network.predictions.latents
        with timer.of("preview"):
            pca_map(latents)
        with timer.of("map"):
            drawn = run_job(session.mapping())
        with timer.of("take"):
            session.take_map(drawn)
        new = np.asarray(latents[:: max(1, n // 1_000)][:1_000], np.float32)
        with timer.of("place 1,000"):
            place(new, latents, drawn.coordinates)
        with timer.of("save"):
            save_session(session.state, folder)
    return {
        **timer.figures(),
        "n": n,
        "trustworthiness": drawn.quality.trustworthiness,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "peak without files": peak.anonymous,
    }


def _compile_for(n: int) -> None:
    """Let numba compile, on few latents, what a map of n images takes."""
    from napari_spaceediting.projection import neighbours

    some = np.random.default_rng(0).random((500, 16), np.float32)
    exact = neighbours.EXACT_UP_TO
    neighbours.EXACT_UP_TO = 400 if n > exact else exact
    try:
        run_job(MapJob(some, MapSettings(epochs=2)))
    finally:
        neighbours.EXACT_UP_TO = exact


class Peak:
    """The most memory that the process had for itself, not counting mapped files."""

    def __init__(self) -> None:
        self.anonymous = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while not self._stopped.wait(0.05) and status.exists():
            for line in status.read_text().splitlines():
                if line.startswith("RssAnon"):
                    self.anonymous = max(self.anonymous, int(line.split()[1]) * 1024)


_FASHION = (retrain, precision, maps, again, adding, processes)


def main() -> None:
    """Run the part that is asked for."""
    warnings.simplefilter("ignore")
    part, work = sys.argv[1], Path(sys.argv[2])
    quick, data = "--quick" in sys.argv, None
    if "--data" in sys.argv:
        data = sys.argv[sys.argv.index("--data") + 1]
    if part.startswith("make-"):
        synthetic_session(int(part.removeprefix("make-")), work)
        return
    begun, load = time.perf_counter(), os.getloadavg()[0]
    if part.startswith("size-"):
        figures = size(int(part.removeprefix("size-")), work)
    else:
        every = {f.__name__: f for f in _FASHION}
        every |= {f"retrain-{s}": partial(retrain, setting=s) for s in (FEW, MANY)}
        every["photographs"] = partial(photographs, data=data)
        figures = every[part](work, quick)
    figures["load"] = load
    figures["took"] = time.perf_counter() - begun
    path = work / f"{part}.json"
    common.keep(path, figures)
    print(f"{part}: {figures['took']:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
