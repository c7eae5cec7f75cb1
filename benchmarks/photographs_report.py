"""The document and the contact sheet of the benchmark of photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import common
from photographs_methods import READING, Piece

Run = dict[str, Any]
"""Figures of a piece."""
Runs = Mapping[Piece, Run]


def tuning(piece: Piece, run: Run) -> str:
    """Return all figures of a piece, for whoever chooses by them."""
    by_step = run["by step"]
    steps = range(len(by_step["age"]))
    rows = [(name, *(f"{v:.3f}" for v in values)) for name, values in by_step.items()]
    faces = run["faces"]
    by_work = ", ".join(f"{name} {v:.1f}" for name, v in run["seconds"].items())
    means = ", ".join(f"{name} {v:.3f}" for name, v in summary([run]).items())
    return (
        f"\n## {piece.method}, {piece.way}\n\n"
        + common.table(("mean of all", *steps), rows)
        + "\n"
        + common.table(faces[0], [[f"{v:.3g}" for v in f.values()] for f in faces])
        + f"\n**{means}**\n\nSeconds: {by_work}.\n\n"
        + "\n".join(run["notes"])
    )


def summary(runs: Sequence[Run]) -> dict[str, float]:
    """Return how many faces are there, the means of those, and the time of a face."""
    faces = [face for run in runs for face in run["faces"]]
    there = [face for face in faces if face["there"]]
    means = {
        name: float(np.mean([f[name] for f in there or faces])) for name in faces[0]
    }
    spent = [
        sum(v for name, v in run["seconds"].items() if name not in READING)
        for run in runs
    ]
    return {
        **means,
        "there": len(there),
        "of": len(faces),
        "seconds": sum(spent) / len(faces),
    }


def written(runs: Runs) -> str:
    return ""


def targets(runs: Runs) -> list[common.Target]:
    return []


def draw_sheet(images: Mapping[Piece, Path], runs: Runs) -> None:
    pass
