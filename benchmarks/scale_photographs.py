"""The part of the benchmark of scale that goes through photographs once.

Both arms are processes of their own with one thread, in turn; the system tells what
each took from its start to its end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_spaceediting.data.cache import VARIABLE
from napari_spaceediting.jobs.worker import worker_environment

NETWORK = "resnet18"
"""With random weights: they take as long as others."""
SIDES = 384, 512
PHOTOGRAPHS = 2_500
_QUICK = 60
_DIFFERENT = 50
_BATCH = 4
_THUMBNAIL = 64
_SUFFIXES = {".jpg", ".jpeg", ".png"}


def photographs(work: Path, quick: bool, data: str | None) -> dict[str, Any]:
    """Open photographs, draw thumbnails and compute features: ours, then a loop."""
    folder = work / "photographs"
    if folder.exists():
        shutil.rmtree(folder)
    n = _QUICK if quick else PHOTOGRAPHS
    _fill(folder, n, Path(data) if data else None)
    figures: dict[str, Any] = {"n": n, "network": NETWORK, "data": bool(data)}
    for arm in ("ours", "plain"):
        figures[arm] = _of_arm(arm, folder, work)
    shutil.rmtree(folder)
    return figures


def _fill(folder: Path, n: int, data: Path | None) -> None:
    """Put n photographs into two class folders: given ones, or synthetic ones."""
    from PIL import Image

    rng = np.random.default_rng(0)
    if data is None:
        found = [_synthetic(rng) for _ in range(_DIFFERENT)]
    else:
        files = sorted(p for p in data.rglob("*") if p.suffix.lower() in _SUFFIXES)
        found = [
            Image.open(path).convert("RGB").resize(SIDES[::-1]) for path in files[:n]
        ]
    for k in range(n):
        path = folder / "ab"[k % 2] / f"{k:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        if k < len(found):
            found[k].save(path, quality=90)
        else:
            first = k % len(found)
            shutil.copy(folder / "ab"[first % 2] / f"{first:05d}.jpg", path)


def _synthetic(rng: np.random.Generator) -> Any:
    """Return coloured noise whose detail has less contrast the finer it is."""
    from PIL import Image

    height, width = SIDES
    total = np.zeros((height, width, 3))
    for n in (4, 16, 64, 128, 256):
        noise = rng.integers(0, 255, (n * 3 // 4, n, 3), dtype=np.uint8)
        grown = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(grown) / (1 + n / 16)
    total = 255 * (total - total.min()) / np.ptp(total)
    return Image.fromarray(total.astype(np.uint8))


def _of_arm(arm: str, folder: Path, work: Path) -> dict[str, Any]:
    """Run an arm in a process of its own; return its processor seconds and memory."""
    cache, report = work / "photographs-cache", work / "photographs.report"
    shutil.rmtree(cache, ignore_errors=True)
    environment = worker_environment() if arm == "ours" else dict(os.environ)
    environment |= {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    environment[VARIABLE] = str(cache)
    command = [sys.executable, __file__, arm, str(folder), str(cache), str(report)]
    subprocess.run(command, env=environment, check=True)
    shutil.rmtree(cache, ignore_errors=True)
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def ours(folder: Path, cache: Path) -> Iterator[str]:
    """Do it by the jobs of the window."""
    from napari_spaceediting.data.open import OpenDataset
    from napari_spaceediting.data.thumbnails import PackThumbnails
    from napari_spaceediting.jobs.job import run_job
    from napari_spaceediting.network.jobs import ExtractActivations
    from napari_spaceediting.network.spec import ClassifierSpec

    dataset = run_job(OpenDataset(folder))
    yield "open"
    run_job(PackThumbnails(dataset, _THUMBNAIL))
    yield "thumbnails"
    spec = ClassifierSpec(NETWORK, in_channels=3, image_size=dataset.image_size)
    run_job(ExtractActivations(dataset, spec, None, device="cpu"))
    yield "features"


def plain(folder: Path, cache: Path) -> Iterator[str]:
    """Do it by a loop over batches, with Pillow and torch alone."""
    import torch
    from PIL import Image
    from torchvision.models import get_model

    paths = sorted(folder.rglob("*.jpg"))
    sizes = [Image.open(path).size for path in paths]
    scale = 224 / max(sizes[0])
    size = tuple(round(side * scale) for side in sizes[0])
    yield "open"
    network = get_model(NETWORK)
    network.fc = torch.nn.Identity()
    network = network.eval().to(memory_format=torch.channels_last)
    mean = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
    std = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)
    tiles = np.empty((len(paths), _THUMBNAIL, _THUMBNAIL, 3), np.uint8)
    features = []
    for start in range(0, len(paths), _BATCH):
        batch = []
        for k, path in enumerate(paths[start : start + _BATCH], start):
            image = Image.open(path).convert("RGB")
            tiles[k] = image.resize((_THUMBNAIL,) * 2, Image.Resampling.BILINEAR)
            batch.append(np.asarray(image.resize(size, Image.Resampling.BILINEAR)))
        images = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            features.append(network((images.float() / 255 - mean) / std).numpy())
    cache.mkdir()
    np.save(cache / "tiles.npy", tiles)
    np.save(cache / "features.npy", np.concatenate(features))
    yield "features"


def main() -> None:
    """Run an arm, and write down what the process took."""
    import resource

    arm, folder, cache, report = sys.argv[1], *map(Path, sys.argv[2:])
    stages: dict[str, list[float]] = {}
    before = 0.0, 0.0
    for stage in {"ours": ours, "plain": plain}[arm](folder, cache):
        used = resource.getrusage(resource.RUSAGE_SELF)
        now = used.ru_utime, used.ru_stime
        stages[stage] = [now[0] - before[0], now[1] - before[1]]
        before = now
    figures = {"stages": stages, "processor": sum(before)}
    report.write_text(json.dumps({**figures, "peak": used.ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
