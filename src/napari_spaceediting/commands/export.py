"""The command `export`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spaceediting.commands.command import Commands, Report
from napari_spaceediting.commands.terminal import run

if TYPE_CHECKING:
    from napari_spaceediting.session.session import Session


def add_to(commands: Commands) -> None:
    """Add it."""
    parser = commands.add_on_session(
        "export", "Take labels, predictions and the network out.", _export, saves=False
    )
    parser.add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="PATH",
        help="a table (.csv, .tsv, .parquet, .h5ad), the network (.pt2, .onnx), a "
        "report (.html), or a folder with one folder of images per class",
    )
    parser.add_argument(
        "--images", nargs="+", metavar="ID", help="only these images (default all)"
    )
    parser.add_argument(
        "--latents", action="store_true", help="with their latents, in a table"
    )
    parser.add_argument(
        "--links",
        action="store_true",
        help="links to the images in place of copies, in class folders",
    )


def _export(session: Session, options: Namespace) -> Report:
    from napari_spaceediting.commands.traverse import indices_of
    from napari_spaceediting.session.export.exporting import exporting

    images = options.images and indices_of(session.dataset, options.images)
    job = exporting(
        session,
        options.to,
        images,
        with_latents=options.latents,
        with_links=options.links,
    )
    written = run(job)
    return Report({"path": str(written.path)}, [written.said])
