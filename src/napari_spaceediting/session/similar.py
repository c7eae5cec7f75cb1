"""Images of a session that are most similar to one from outside."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.assemble import assemble
from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.open import find_image
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.projection.neighbours import among
from napari_spaceediting.session.export.predicting import without_images
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Network

N_SIMILAR = 100
"""Images that are found at most, unless others are asked for."""


@dataclass(frozen=True, eq=False)
class Similar:
    """Images of a session that look like another one, to its network.

    Parameters
    ----------
    file : Path
        The other one.
    images : (n,) int64 array
        The most similar first.
    distances : (n,) float32 array
        Of the latents.
    """

    file: Path
    images: NDArray[np.int64]
    distances: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FindSimilar:
    """Read an image as those of a session are read, and find the most similar ones.

    Parameters
    ----------
    like : ImageDataset
        As from `without_images`.
    network : Network
        Sees the image, and has seen those of the session.
    rows : (m,) int64 array
        The images among which is looked.
    n_images : int
        How many to return at most.
    """

    file: Path
    like: ImageDataset = field(repr=False)
    network: Network = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    n_images: int = N_SIMILAR
    device: str = "auto"
    name: ClassVar[str] = "Look for similar images"

    def run(self) -> Generator[Progress, None, Similar]:
        """Look for them.

        Raises
        ------
        DataError
            If the file cannot be read, or has other channels than the session's.
        TrainingFailed
            If torch cannot run the network.
        """
        file = self.file.expanduser().absolute()
        one = yield from assemble(find_image(file), like=self.like)
        network = self.network
        seen = yield from ExtractPredictions(
            one, network.spec, network.state, self.device
        ).run()
        latents = network.predictions.latents[self.rows]
        at, away = among(seen.latents, latents, self.n_images)
        return Similar(file, self.rows[at[0]], away[0])


def finding_similar(
    session: Preparing, file: Path, n_images: int = N_SIMILAR
) -> FindSimilar:
    """Prepare to find the images that are most similar to one from outside.

    Those that are rejected are left out.

    Raises
    ------
    SessionError
        If there is no network, or it sees no images.
    """
    network = session.shown.network
    if network is None:
        raise SessionError("There is no network yet: train one first.")
    if not network.spec.sees_images:
        raise SessionError(
            "The network sees embeddings and no images, so no file can be compared."
        )
    like = replace(without_images(session), features=None)
    rows = np.flatnonzero(~session.edits.rejected)
    device = session.state.train.device
    return FindSimilar(file, like, network, rows, n_images, device)
