"""What a session's network says of images that do not join the session."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import kind_of_numbers
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.editing.calibration import NONE_OF_THESE, Calibration
from napari_spaceediting.errors import SessionError
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.network.jobs import ExtractPredictions
from napari_spaceediting.network.spec import Predictions
from napari_spaceediting.session.classes import predictions_after
from napari_spaceediting.session.export.certainty import (
    SHARE,
    Certainty,
    HeldOut,
    held_out_of,
    knowing,
)
from napari_spaceediting.session.export.results import (
    Results,
    came_in,
    files_of,
    named,
    predicted,
)
from napari_spaceediting.session.export.tables import WRITERS, writing
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Network


@dataclass(frozen=True)
class Predicted:
    """What was written of new images.

    Parameters
    ----------
    path : Path
        The table.
    counts : mapping of str to int
        Images of each class that was predicted, the most frequent first.
    right : (int, int)
        Of those that came with a label of a known class, how many are predicted so,
        and how many there are.
    skipped : tuple of (str, str)
        Name and reason of what could not be read.
    """

    path: Path
    counts: dict[str, int]
    right: tuple[int, int]
    certainty: Certainty
    skipped: tuple[tuple[str, str], ...] = ()

    def describe(self) -> tuple[str, ...]:
        """Return what the user should know, a sentence each."""
        each = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        n_images = sum(self.counts.values())
        said = [f"Predicted {n_images:,} images in {self.path}: {each}."]
        right, labelled = self.right
        if labelled:
            said.append(
                f"{right:,} of the {labelled:,} that came with a label "
                f"({right / labelled:.1%}) are predicted so."
            )
        said += [f"Left out {name}: {reason}" for name, reason in self.skipped[:5]]
        return (*said, *self.certainty.describe())


@dataclass(frozen=True, eq=False)
class PredictImages:
    """Job: predict new images, and write them as a table.

    Parameters
    ----------
    images : Path
        As for `OpenDataset`.
    path : Path
        The table to write; its ending is one of `WRITERS`.
    like : ImageDataset
        Of no images, with scaling, size and channels of those of the session.
    network : Network
        That predicts.
    held_out : HeldOut
        What it is calibrated on.
    places : (c + 1,) int64 array or None
        Where its classes are among those of `like`; None where they are the first.
    """

    images: Path
    path: Path
    like: ImageDataset = field(repr=False)
    network: Network = field(repr=False)
    held_out: HeldOut = field(repr=False)
    places: NDArray[np.int64] | None = field(default=None, repr=False)
    device: str = "auto"
    name: ClassVar[str] = "Predict new images"

    def run(self) -> Generator[Progress, None, Predicted]:
        """Predict and write them.

        Raises
        ------
        DataError
            If they cannot be read.
        SessionError
            If the table cannot be written.
        TrainingFailed
            If torch cannot run the network.
        """
        new = yield from OpenDataset(self.images, like=self.like).run()
        network = self.network
        found = yield from ExtractPredictions(
            new, network.spec, network.state, self.device
        ).run()
        if self.places is not None:
            n_classes = len(self.like.class_names)
            found = predictions_after(found, self.places, n_classes)
        yield Progress(0, 1, "Calibrating")
        certainty = self.held_out.certainty()
        results = self._results(new, found, certainty.calibration)
        with writing(self.path):
            yield from WRITERS[self.path.suffix.lower()](results, self.path)
        names, counts = np.unique(results.columns["prediction"], return_counts=True)
        order = np.argsort(-counts, kind="stable").tolist()
        return Predicted(
            self.path,
            {str(names[at]): int(counts[at]) for at in order},
            _right(new, found),
            certainty,
            tuple((one.name, one.reason) for one in new.skipped),
        )

    def _results(
        self, new: ImageDataset, found: Predictions, made: Calibration
    ) -> Results:
        probabilities = found.probabilities
        columns = predicted(probabilities, self.like.class_names)
        best, doubt = columns.pop("prediction"), columns.pop("doubt")
        is_known = made.is_known(probabilities)
        labels = {"label": named(new.class_names, new.labels)}
        columns = {
            "id": new.ids,
            **(labels if new.is_labelled.any() else {}),
            "prediction": np.where(is_known, best, NONE_OF_THESE),
            "certainty": made.certainties(probabilities),
            "most_probable": best,
            "doubt": doubt,
            **columns,
        }
        at = np.arange(len(new))
        return Results(
            new.name,
            tuple(files_of(new.pixels)),
            columns | came_in(new, at, columns),
        )


def predicting(
    session: Preparing, images: Path, path: Path, share: float = SHARE
) -> PredictImages:
    """Prepare to predict images that do not join the session.

    Parameters
    ----------
    images : Path
        A folder, table or array, as for `OpenDataset`.
    share : float
        Of images of known classes, that may be called none of these.

    Raises
    ------
    SessionError
        If there is no network that knows a class, or no such kind of table.
    """
    path = path.expanduser().absolute()
    if path.suffix.lower() not in WRITERS:
        raise SessionError(
            f"Predictions cannot be written to {path.name}: let it end in "
            f"{', '.join(WRITERS)}."
        )
    network, edits = knowing(session), session.edits
    return PredictImages(
        images,
        path,
        without_images(session),
        network,
        held_out_of(session, share),
        edits.places if edits.changes_classes else None,
        session.state.train.device,
    )


def without_images(session: Preparing) -> ImageDataset:
    """Return no images, with scaling, size, channels and classes of a session's."""
    dataset = session.dataset
    # The type of the images is that which the scaling itself is for.
    types = (dataset.original(at).dtype for at in range(len(dataset)))
    others = dataset.scaling.others
    kind = next(kind for kind in types if kind_of_numbers(kind) not in others)
    nothing = ArrayPixels(np.empty((0, 1, 1, dataset.n_channels), kind))
    return replace(
        dataset.subset(np.empty(0, np.int64)),
        pixels=nothing,
        class_names=session.shown.class_names,
        soft_labels=None,
        columns={},
        skipped=(),
        notes=(),
    )


def _right(new: ImageDataset, found: Predictions) -> tuple[int, int]:
    known: NDArray[np.bool_] = new.is_labelled & (
        new.labels < found.probabilities.shape[1]
    )
    best = found.probabilities.argmax(axis=1)
    return int(np.count_nonzero((best == new.labels) & known)), int(known.sum())
