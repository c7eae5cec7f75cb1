"""Attacks on caches: what is kept there is found to be right, or made anew."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from attack_base import Child, Sessions, Tried
from attack_damage import LONGEST_S, WAYS, Bomb, spoil, write_data
from napari_spaceediting.data import cache
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.thumbnails import PackThumbnails
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.session.storage import load_session

_SIZE = 32


class Caches:
    """Thumbnails, images and activations that are damaged where they are kept."""

    def __init__(self, sessions: Sessions, work: Path) -> None:
        self._session, self._work = sessions["whole"], work
        self._canary = work.parent / "canary"
        self._images = write_data(work.parent / "data") / "png"

    def attempt(self, number: int, rng: np.random.Generator) -> Tried:
        """Do one try."""
        self._canary.unlink(missing_ok=True)
        folder = self._work / "cache"
        before = os.environ[cache.VARIABLE]
        os.environ[cache.VARIABLE] = str(folder)
        try:
            wanted = self._used()
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            path = files[rng.integers(len(files))]
            how = str(rng.choice(WAYS))
            others = [file for file in files if file != path]
            bomb = pickle.dumps(Bomb(self._canary))
            spoil(path, how, others, self._work / "target", bomb, rng)
            problems = [
                problem
                for _ in range(2)
                if (problem := _difference(wanted, self._used()))
            ]
        finally:
            os.environ[cache.VARIABLE] = before
        if self._canary.exists():
            problems.append("code was run")
        return f"{path.parent.name}: {how}", problems

    def _used(self) -> dict[str, np.ndarray] | str:
        """Use the caches as one program does; return what it found, or what it said."""
        found = self._work / "found.npz"
        found.unlink(missing_ok=True)
        child = Child(lambda: self._use(found), self._work / "output")
        ended = child.wait(LONGEST_S)
        if ended.code or ended.output:
            return f"ended with {ended.code}: {ended.output[-300:]}"
        with np.load(found) as arrays:
            return dict(arrays)

    def _use(self, found: Path) -> int:
        from napari_spaceediting.network.activations import activations
        from napari_spaceediting.network.classifier import classifier_from

        state = load_session(self._session)
        network = state.checkpoint.network
        assert network is not None
        classifier = classifier_from(network.spec, network.state)
        tiles = run_job(PackThumbnails(run_job(OpenDataset(self._images)), _SIZE))
        rows = finish(activations(classifier, state.dataset, "head", device="cpu"))
        np.savez(found, tiles=tiles, rows=rows)
        return 0


def _difference(wanted: dict[str, np.ndarray] | str, found: Any) -> str:
    """Return what is other than it was; a few images are not added up as many are."""
    if isinstance(wanted, str) or isinstance(found, str):
        return f"{wanted:.300}, {found:.300}"
    same = np.array_equal(wanted["tiles"], found["tiles"]) and np.allclose(
        wanted["rows"], found["rows"], rtol=1e-4, atol=1e-5
    )
    return "" if same else "it is not what it was"
