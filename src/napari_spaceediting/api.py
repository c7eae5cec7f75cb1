"""The whole loop from Python: open, train, map, guide, edit, retrain, export, save.

>>> from napari_spaceediting import api
>>> session = api.open("photographs/")
>>> api.train(session, "resnet18", "pretrained")
>>> api.map(session)
>>> for proposal in api.guide(session):
...     print(proposal.reason)
>>> api.edit(session, {"kind": "pin", "images": ["a.jpg", "b.jpg"], "tag": "cat"})
>>> print(api.retrain(session).verdict())
>>> api.export(session, "labels.csv")
>>> api.save(session, "photographs.spaceediting")

Every function works on a `Session`, which has all that is known, and does its work in
this process. What window and terminal can do beyond it, the session can, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from napari_spaceediting.data.open import opening
from napari_spaceediting.editing.edits import Edit
from napari_spaceediting.jobs.job import Progress, run_job
from napari_spaceediting.network.spec import (
    ClassifierSpec,
    TrainSettings,
    with_usual_layout,
)
from napari_spaceediting.network.trust import trust
from napari_spaceediting.projection.quality import MapQuality
from napari_spaceediting.projection.settings import Method
from napari_spaceediting.session.codec import edits_from
from napari_spaceediting.session.export.exporting import exporting
from napari_spaceediting.session.files import is_session
from napari_spaceediting.session.session import Session, new_session
from napari_spaceediting.session.storage import load_session, save_session

if TYPE_CHECKING:
    from napari_spaceediting.editing.evidence import Evidence
    from napari_spaceediting.editing.guidance import Proposal
    from napari_spaceediting.editing.settings import RetrainSettings

__all__ = ["edit", "export", "guide", "map", "open", "retrain", "save", "train"]

Tell = Callable[[Progress], None] | None
"""Is told how far the work has come."""
EditOrEntry = Edit | Mapping[str, Any]
"""An edit, or what a file would say of it."""


def open(data: str | Path, *, seed: int = 0, progress: Tell = None) -> Session:
    """Open a saved session, or images as a new one.

    Parameters
    ----------
    data : str or Path
        A folder ``NAME.spaceediting``; a folder, table or array of images; or a sample
        as "sample:digits".
    seed : int
        From which every random choice of a new session follows.
    progress : callable, optional
        Is told how far the work has come.

    Raises
    ------
    DataError, SessionError
        If it cannot be read.
    """
    path = Path(data).expanduser()
    if is_session(path):
        return Session(load_session(path))
    return new_session(run_job(opening(str(data), seed), progress), seed=seed)


def save(session: Session, folder: str | Path) -> None:
    """Save a session into a folder ``NAME.spaceediting``, whatever was there.

    Raises
    ------
    SessionError
        If it cannot be written, or somebody else has it open.
    """
    save_session(session.state, Path(folder).expanduser())


def train(
    session: Session,
    backbone: str = "small_cnn",
    weights: str | None = None,
    *,
    mirror: bool = False,
    settings: TrainSettings | None = None,
    progress: Tell = None,
) -> float:
    """Train the network of a session on its labels or, without any, on the images.

    Parameters
    ----------
    session : Session
        Takes the network, and its principal components as a first map.
    backbone, weights : str
        As in `ClassifierSpec`. The code of a backbone ``package.module:function`` is
        run, as it has been named here.
    mirror : bool
        Whether features are the mean of those of the image and its mirror image.
    settings : TrainSettings, optional
        How; kept with the session.
    progress : callable, optional
        Is told how far the work has come.

    Returns
    -------
    float
        Best accuracy on validation images, 0 to 1; NaN where it was not measured.

    Raises
    ------
    EditError
        If edits wait that were made on the present map.
    TrainingFailed
        If it cannot be trained.
    """
    trust(backbone)
    if settings is not None:
        session.set_train_settings(settings)
    spec = ClassifierSpec(backbone, weights, mirror=mirror)
    spec = with_usual_layout(spec, session.state.train.trainable)
    trained = run_job(session.training(spec), progress)
    session.take_network(trained)
    accuracy = trained.train.accuracy
    return float("nan") if accuracy is None else accuracy


def map(
    session: Session, method: Method | None = None, *, progress: Tell = None
) -> MapQuality:
    """Draw the map of a session.

    Parameters
    ----------
    session : Session
        Takes the map: `session.shown.map`.
    method : {"umap", "pca"}, optional
        How; by default as it was drawn last, or by UMAP.
    progress : callable, optional
        Is told how far the work has come.

    Returns
    -------
    MapQuality
        How well it keeps neighbours together.

    Raises
    ------
    EditError
        If edits wait that were made on the present map.
    MapFailed
        If it cannot be drawn.
    """
    if method is not None:
        session.set_map_settings(replace(session.state.map, method=method))
    drawn = run_job(session.mapping(), progress)
    session.take_map(drawn)
    return drawn.quality


def guide(
    session: Session, n_proposals: int = 20, *, progress: Tell = None
) -> list[Proposal]:
    """Return what is worth a decision, the most useful first.

    Parameters
    ----------
    session : Session
        It has a network and a map.
    n_proposals : int
        How many at most.
    progress : callable, optional
        Is told how far the work has come.
    """
    return run_job(session.guiding(n_proposals), progress)


def edit(
    session: Session,
    edits: EditOrEntry | Iterable[EditOrEntry],
) -> None:
    """Add edits, one after the other; none of them if one cannot be applied.

    Parameters
    ----------
    session : Session
        Takes them into its log; `session.undo()` takes the last one back.
    edits : Edit, mapping, or iterable of these
        An edit of `editing.image_edits`, or what the terminal reads from a file: its
        "kind", its "images" by their ids and, by kind, "tag" or "end", as in ``{"kind":
        "pin", "images": ["a.jpg"], "tag": "cat"}`` or ``{"kind": "rename", "name":
        "cat", "to": "tom"}``.

    Raises
    ------
    EditError
        If one of them cannot be applied.
    """
    several = [edits] if isinstance(edits, Edit | Mapping) else list(edits)
    ids = session.dataset.ids
    session.replay(
        [
            one if isinstance(one, Edit) else edits_from([dict(one)], ids)[0]
            for one in several
        ]
    )


def retrain(
    session: Session,
    settings: RetrainSettings | None = None,
    *,
    accept: bool = True,
    progress: Tell = None,
) -> Evidence:
    """Retrain with the edits, and draw the map anew.

    Parameters
    ----------
    session : Session
        Takes the round.
    settings : RetrainSettings, optional
        How; kept with the session.
    accept : bool
        Whether to go on from the outcome; else `session.accept()` or
        `session.roll_back()` decides.
    progress : callable, optional
        Is told how far the work has come.

    Returns
    -------
    Evidence
        What held-out images say of the round; `verdict()` says it in words.

    Raises
    ------
    EditError
        If there is no edit to learn from, or a round awaits a decision.
    TrainingFailed
        If it cannot be trained.
    """
    if settings is not None:
        session.set_retrain_settings(settings)
    session.propose(run_job(session.retraining(), progress))
    if accept:
        session.accept()
    return session.state.rounds[-1].evidence


def export(
    session: Session,
    path: str | Path,
    images: ArrayLike | None = None,
    *,
    latents: bool = False,
    links: bool = False,
    progress: Tell = None,
) -> str:
    """Write what a session knows into a file or a folder.

    Parameters
    ----------
    session : Session
        As the window would show it, with the edits that wait.
    path : str or Path
        Its ending says what: ``.csv``, ``.tsv``, ``.parquet`` or ``.h5ad`` for a table
        of labels and predictions, ``.pt2`` or ``.onnx`` for the network, ``.html`` for
        a report; without one, folders of images by part and class.
    images : (n,) int array, optional
        Which images; by default all.
    latents : bool
        Whether a table has the latents, too.
    links : bool
        Whether the folders hold links in place of copies.
    progress : callable, optional
        Is told how far the work has come.

    Returns
    -------
    str
        What was written, in a sentence.

    Raises
    ------
    SessionError
        If there is nothing to write to such a path, or it cannot be written.
    """
    at = None if images is None else np.asarray(images, np.int64)
    job = exporting(session, Path(path), at, with_latents=latents, with_links=links)
    return run_job(job, progress).said
