"""Whether a traversal of photographs changes what was asked for, and nothing else.

It writes docs/results/photographs.md and docs/pictures/photographs-sheet.jpg::

    python benchmarks/photographs.py --data FOLDER

FOLDER has ``dmt_faces`` (from the code of Deep Manifold Traversal, a18/deepmanifold)
and ``weights/faceapi`` (``model`` of the npm package @vladmandic/face-api). What is
finished is kept in ``--work``, so that an interrupted run goes on. ``--tune`` prints
figures of other faces than are reported, for choosing.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

import common
import photographs_report as report
from face_judges import FaceJury
from photographs_faces import LITE0, MOBILE, WAYS, Outing
from photographs_methods import INTERPOLATION, METHODS, MIXTURES, OURS, Piece

SEEDS = {
    (LITE0, OURS): 3,
    (LITE0, INTERPOLATION): 3,
    (LITE0, MIXTURES): 1,
    (MOBILE, OURS): 1,
    (MOBILE, INTERPOLATION): 1,
}
"""How many, by network and method; mixtures take long."""
SIDE, QUICK_SIDE = 224, 128
SET_SIZE, QUICK_SET_SIZE = 150, 40
QUICK_FACES = 2


def run_piece(piece: Piece, options: argparse.Namespace) -> None:
    """Move faces, judge them, and keep figures and images."""
    torch.set_num_threads(1)
    outing = Outing(
        options.data,
        options.work,
        "tuning" if options.tune or options.quick else "reported",
        piece.seed,
        piece.network,
        options.side,
        QUICK_SET_SIZE if options.quick else SET_SIZE,
    )
    moved = METHODS[piece.method](outing, outing.sets(piece.way, options.faces))
    jury = FaceJury(options.data, outing.dataset.images(np.arange(len(outing.dataset))))
    judged = jury.judge(moved.originals, moved.images, older=piece.way == "to old")
    path = piece.path(options.work)
    rows = np.arange(len(judged.there)), judged.shown
    shown = np.stack([moved.originals, moved.images[rows]], axis=1)
    np.save(path.with_suffix(".npy"), np.uint8(np.rint(255 * shown)))
    common.keep(
        path,
        {
            "faces": judged.by_face(),
            "by step": judged.by_step(),
            "arrival": moved.arrival.tolist(),
            "own by network": moved.own.tolist(),
            "own by judge": judged.own.tolist(),
            "age": judged.age.tolist(),
            "side": options.side,
            "seconds": moved.seconds,
            "notes": moved.notes,
        },
    )
    print(f"{path.stem} is done", flush=True)


def main() -> None:
    """Run what is not finished yet and write the document."""
    made = common.parser(__doc__)
    made.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    made.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "spaceediting-photographs",
        help="folder of what is finished",
    )
    made.add_argument("--processes", type=int, default=1)
    made.add_argument(
        "--tune",
        nargs="*",
        metavar="METHOD",
        help="print figures of faces for tuning, anew, by methods (ours)",
    )
    made.add_argument("--faces", type=int, help="how many each way (all)")
    made.add_argument("--side", type=int, default=SIDE, help="of the images, pixels")
    options = made.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    if options.quick:
        options.faces, options.side = QUICK_FACES, QUICK_SIDE
    tunes = options.tune is not None
    if tunes:
        pieces = [
            Piece(LITE0, method, way, 0)
            for method in options.tune or [OURS]
            for way in WAYS
        ]
        options.work /= "tuning"
    elif options.quick:
        pieces = [Piece(LITE0, OURS, next(iter(WAYS)), 0)]
        options.work /= "quick"
    else:
        pieces = [
            Piece(network, method, way, seed)
            for (network, method), count in SEEDS.items()
            for seed in range(count)
            for way in WAYS
        ]
    options.work.mkdir(parents=True, exist_ok=True)
    todo = [one for one in pieces if tunes or not one.path(options.work).exists()]
    options.tune = tunes
    common.run_apart(run_piece, [(one, options) for one in todo], options.processes)
    runs = {one: json.loads(one.path(options.work).read_text()) for one in pieces}
    if tunes:
        for piece, run in runs.items():
            print(report.tuning(piece, run))
        return
    common.publish(
        "photographs",
        report.written(runs),
        report.targets(runs),
        options,
        runs={one.path(options.work).stem: run for one, run in runs.items()},
    )
    if not options.quick:
        report.draw_sheet(
            {one: one.path(options.work).with_suffix(".npy") for one in pieces}, runs
        )


if __name__ == "__main__":
    main()
