"""Whether a traversal of photographs changes what was asked for, and nothing else.

It writes docs/results/photographs.md and docs/pictures/photographs-sheet.jpg::

    python benchmarks/photographs.py --data FOLDER

FOLDER has ``dmt_faces`` (from the code of Deep Manifold Traversal, a18/deepmanifold)
and ``weights/faceapi`` (``model`` of the npm package @vladmandic/face-api). ``--tune``
prints figures of other faces than are reported, for choosing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import common
from face_judges import FaceFigures, FaceJury
from napari_spaceediting.traversal.jobs import Traverse
from napari_spaceediting.traversal.result import Traversal
from napari_spaceediting.traversal.settings import TraverseSettings
from photographs_faces import WAYS, Outing

READING = "Read the images", "Compare features", "Look at the images"
"""What is known once the features of the sets are."""


def timed(job: Traverse) -> tuple[Traversal, dict[str, float]]:
    """Run a job; return processor seconds by what was going on, too."""
    seconds: dict[str, float] = {}
    steps = job.run()
    while True:
        begin = time.process_time()
        try:
            progress = next(steps)
        except StopIteration as end:
            result: Traversal = end.value
            return result, seconds
        spent = time.process_time() - begin
        seconds[progress.message] = seconds.get(progress.message, 0.0) + spent


def traverse(
    outing: Outing, way: str, settings: TraverseSettings, count: int | None = None
) -> tuple[Traversal, dict[str, float]]:
    """Move faces one way."""
    network = outing.trained
    sets = outing.sets(way, count)
    job = Traverse(outing.dataset, network.spec, network.train.state, sets, settings)
    return timed(job)


def tune(data: Path, work: Path, count: int, side: int) -> None:
    """Print the figures of our default on faces for tuning."""
    outing = Outing(data, work, "tuning", side=side)
    jury = FaceJury(data, outing.dataset.images(np.arange(len(outing.dataset))))
    for way in WAYS:
        done, seconds = traverse(outing, way, TraverseSettings(device="cpu"), count)
        figures = jury.judge(done.images[:, 0], done.images, older=way == "to old")
        print(f"\n## {way}, {done.regime}, {side} px\n\n{tuning_table(figures)}")
        making = sum(v for name, v in seconds.items() if name not in READING)
        print(
            f"{making / len(done.images):.2f} s a face of one core; by work: "
            + ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        )
        for note in done.notes:
            print(note)


def tuning_table(figures: FaceFigures) -> str:
    """Return figures by step, and where each face is there."""
    steps = range(figures.age.shape[1])
    by_step = {
        name: [f"{values[:, step].mean():.3f}" for step in steps]
        for name, values in vars(figures).items()
        if name != "older"
    }
    faces = figures.by_face()
    rows = [(name, *values) for name, values in by_step.items()]
    return (
        common.table(("mean of all", *steps), rows)
        + "\n"
        + common.table(faces[0], [[f"{v:.3g}" for v in f.values()] for f in faces])
        + "\nWhere they are there: "
        + ", ".join(f"{name} {value:.3f}" for name, value in summary(faces).items())
    )


def summary(faces: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return how many faces are there, and the means of those."""
    there = [face for face in faces if face["there"]]
    means = {
        name: float(np.mean([f[name] for f in there or faces])) for name in faces[0]
    }
    return {**means, "there": len(there), "of": len(faces)}


def main() -> None:
    """Run the benchmark and write its document."""
    made = common.parser(__doc__)
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    made.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-photographs",
        help="folder of what is finished",
    )
    made.add_argument("--tune", type=int, nargs="?", const=8, metavar="FACES")
    made.add_argument("--side", type=int, default=224, help="of the images, pixels")
    options = made.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.tune:
        tune(options.data, options.work, options.tune, options.side)


if __name__ == "__main__":
    main()
