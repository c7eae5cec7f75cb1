"""The command `predict`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.commands.terminal import run

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "predict", "Predict images that do not join the session.", _predict, saves=False
    )
    parser.add_argument("images", type=Path, help="folder, table or array")
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="FILE",
        help="table to write (.csv, .tsv, .parquet, .h5ad)",
    )
    parser.add_argument(
        "--none-of-these",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="of images of known classes, how many may be called “none of these” by "
        "chance (default 0.05; 0 for never)",
    )


def _predict(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.session.export.predicting import predicting

    share = options.none_of_these
    done = run(predicting(session, options.images, options.to, share))
    certainty = done.certainty
    right, labelled = done.right
    values = {
        "path": str(done.path),
        "counts": done.counts,
        "labelled": labelled,
        "right": right,
        "skipped": [list(one) for one in done.skipped],
        **asdict(certainty.calibration),
        "calibration_error": {
            name: None if isnan(value) else value
            for name, value in (
                ("before", certainty.before),
                ("after", certainty.after),
            )
        },
        "measured_on": certainty.measured_on,
    }
    return Report(values, done.describe())
