"""What a session can be exported to, told by the name of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Job
from napari_spaceediting.session.export.folders import ExportFolders
from napari_spaceediting.session.export.networks import ENDINGS, exporting_network
from napari_spaceediting.session.export.report import reporting
from napari_spaceediting.session.export.results import results_of
from napari_spaceediting.session.export.tables import WRITERS, Exported, ExportTable
from napari_spaceediting.session.preparing import Preparing

PAGE = ".html"


def exporting(
    session: Preparing,
    path: Path,
    images: NDArray[np.int64] | None = None,
    *,
    with_latents: bool = False,
    with_links: bool = False,
) -> Job[Exported]:
    """Prepare to export a session, as the window shows it.

    Parameters
    ----------
    path : Path
        Its ending says what to: a table, the network or a report; without one, folders
        of images.
    images : (n,) int64 array, optional
        Which images; by default all.
    with_links : bool
        Whether the folders hold links to the images in place of copies.

    Raises
    ------
    SessionError
        If there is nothing that can be written to such a path.
    """
    path = path.expanduser().absolute()
    ending = path.suffix.lower()
    if ending == PAGE:
        return reporting(session, path)
    if ending in ENDINGS:
        return exporting_network(session, path)
    if ending in WRITERS:
        return ExportTable(results_of(session, images, latents=with_latents), path)
    if not ending or path.is_dir():
        return _exporting_folders(session, path, images, with_links)
    raise SessionError(
        f"There is nothing to export to a file like {path.name}: let it end in "
        f"{', '.join([*WRITERS, *ENDINGS, PAGE])}, or name a folder."
    )


def _exporting_folders(
    session: Preparing, path: Path, images: NDArray[np.int64] | None, with_links: bool
) -> ExportFolders:
    rejected = session.edits.rejected
    asked = np.arange(len(rejected)) if images is None else images
    at = asked[~rejected[asked]]
    if not len(at):
        raise SessionError(
            "All of these images are rejected: restore some, or export a table."
        )
    return ExportFolders(
        results_of(session, at),
        session.state.dataset.subset(at),
        path,
        with_links,
        len(asked) - len(at),
    )
