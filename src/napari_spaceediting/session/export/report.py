"""What a reviewer would ask for, on one page that needs nothing else."""

from __future__ import annotations

import base64
import json
import platform
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting import __version__
from napari_spaceediting.data.columns import REJECTED
from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.data.words import in_words
from napari_spaceediting.data.writing import write_file
from napari_spaceediting.editing.arms import ARMS
from napari_spaceediting.editing.edits import describe
from napari_spaceediting.editing.evidence import (
    ArmScore,
    Evidence,
    measured_images,
    predicted_classes,
)
from napari_spaceediting.jobs.job import Progress
from napari_spaceediting.session.codec import Codec
from napari_spaceediting.session.export.certainty import HeldOut, held_out_of
from napari_spaceediting.session.export.map_picture import MapPicture, picture_of
from napari_spaceediting.session.export.results import SPLITS
from napari_spaceediting.session.export.tables import Exported, writing
from napari_spaceediting.session.history import NOW, Stage, scores
from napari_spaceediting.session.preparing import Preparing
from napari_spaceediting.session.state import Checkpoint, Round, SessionState

_WORST, _THUMBNAIL = 24, 96
"""Mistakes that are shown as pictures, and the side of these in pixels."""
_MOST_CLASSES = 30
"""Beyond these, the confusion is told by the pairs that are confused most."""
_PAIRS = 12
_LIBRARIES = "numpy", "torch", "torchvision", "scikit-learn", "umap-learn", "napari"

Values = dict[str, Any]


@dataclass(frozen=True, eq=False)
class ExportReport:
    """Job: write a report.

    Parameters
    ----------
    values : mapping
        What the page says, by the names that its template has for it.
    worst : tuple of (int, str, str, str)
        Number of an image that is mistaken, its class, what the network says, and how
        certain it is.
    held_out : HeldOut or None
        What the network is calibrated on, if it knows a class.
    """

    values: Mapping[str, Any] = field(repr=False)
    dataset: ImageDataset = field(repr=False)
    map: MapPicture | None = field(repr=False)
    worst: tuple[tuple[int, str, str, str], ...] = field(repr=False)
    held_out: HeldOut | None = field(repr=False)
    path: Path
    name: ClassVar[str] = "Write the report"

    def run(self) -> Generator[Progress, None, Exported]:
        """Write it.

        Raises
        ------
        DataError
            If an image cannot be read.
        SessionError
            If the page cannot be written.
        """
        import jinja2

        yield Progress(0, 4, "Drawing the map")
        drawn = "" if self.map is None else _inlined(self.map.draw(self.dataset))
        yield Progress(1, 4, "Looking at mistakes")
        at = [index for index, *_ in self.worst]
        pictures = self.dataset.thumbnails(np.array(at, int), _THUMBNAIL)
        worst = [
            (_inlined(picture), str(self.dataset.ids[index]), *said)
            for picture, (index, *said) in zip(pictures, self.worst, strict=True)
        ]
        yield Progress(2, 4, "Calibrating")
        said = () if self.held_out is None else self.held_out.certainty().describe()
        yield Progress(3, 4, "Writing the page")
        source = files(__package__).joinpath("report.html.jinja").read_text("utf-8")
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )
        page = environment.from_string(source).render(
            **self.values, map_picture=drawn, worst=worst, certainty=said
        )
        with writing(self.path):
            write_file(self.path, page.encode())
        return Exported(self.path, f"Wrote a report to {self.path}.")


def reporting(session: Preparing, path: Path) -> ExportReport:
    """Prepare a report on a session as the window shows it."""
    state, network = session.state, session.shown.network
    dataset = state.dataset
    knows = network is not None and network.predictions.probabilities.shape[1] > 0
    values: Values = {
        "title": dataset.name,
        "created": datetime.now(UTC).isoformat(timespec="minutes"),
        "data": in_words(dataset).splitlines(),
        "parts": [*SPLITS.values(), REJECTED],
        "classes": _class_rows(session),
        "network": _network(state),
        "present": _present(session) if knows else None,
        "rounds": [_round(n, one, dataset) for n, one in enumerate(state.rounds, 1)],
        "open_edits": [] if state.proposal else [*map(describe, state.log.done)],
        "seed": state.seed,
        "versions": _versions(),
        "commands": _commands(state),
    }
    return ExportReport(
        values,
        dataset,
        picture_of(session),
        _worst(session) if knows else (),
        held_out_of(session) if knows else None,
        path,
    )


def _class_rows(session: Preparing) -> list[Values]:
    """Return for each class, and none, how many images of each part have it."""
    edits, split = session.edits, session.dataset.split
    parts = [
        np.bincount(
            edits.labels[split == part] + 1, minlength=len(edits.class_names) + 1
        )
        for part in Split
    ]
    counts = np.array(parts).T.tolist()
    rows = zip([*edits.class_names, "no label"], [*counts[1:], counts[0]], strict=True)
    return [{"name": name, "counts": count} for name, count in rows if any(count)]


def _network(state: SessionState) -> list[tuple[str, str]]:
    """Return how the network is made and trained, as names and values."""
    network = state.shown.network
    if network is None:
        return []
    spec, train = network.spec, state.train
    return [
        ("Backbone", spec.backbone),
        ("Weights at first", spec.weights or "random"),
        (
            "Images",
            f"{spec.image_size[1]} x {spec.image_size[0]} px, "
            f"{spec.in_channels} channels",
        ),
        ("Latents", f"{network.predictions.latents.shape[1]} numbers"),
        ("Sees the mirror image", "yes" if spec.mirror else "no"),
        *_settings(train),
    ]


def _settings(settings: Any) -> list[tuple[str, str]]:
    """Return what is set, as names and values."""
    values = {k: v for k, v in asdict(settings).items() if v not in (None, ())}
    for name, value in values.items():
        if isinstance(value, bool):
            values[name] = "yes" if value else "no"
        elif isinstance(value, tuple):
            values[name] = ", ".join(map(str, value))
    return [(name.replace("_", " "), str(value)) for name, value in values.items()]


def _present(session: Preparing) -> Values | None:
    """Return how the network does now on held-out images, as the window tells it."""
    shown = session.shown
    stage = Stage(NOW, shown)
    measured = scores(session.dataset, (stage,))[0]
    if measured is None:
        return None
    names = shown.class_names
    part, at = measured_images(session.dataset.split, shown.labels)
    return {
        "measured_on": part.name.lower(),
        "n_images": len(at),
        "accuracy": accuracy_in_words(measured),
        "recall": [
            (name, f"{recall:.1%}")
            for name, recall in zip(names, measured.recall, strict=False)
            if not np.isnan(recall)
        ],
        "confusion": _confusion(measured.confusion, names),
        "pairs": _pairs(measured.confusion, names),
    }


def accuracy_in_words(measured: ArmScore) -> str:
    """Return an accuracy with its interval."""
    low, high = measured.interval
    return f"{measured.accuracy:.1%} (95% interval {low:.1%} to {high:.1%})"


def _confusion(counts: NDArray[np.int64], names: Sequence[str]) -> Values | None:
    if len(counts) > _MOST_CLASSES:
        return None
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {
        "names": list(names),
        "rows": [
            (name, [*zip(row, share, strict=True)])
            for name, row, share in zip(
                names, counts.tolist(), shares.round(3).tolist(), strict=False
            )
        ],
    }


def _pairs(counts: NDArray[np.int64], names: Sequence[str]) -> list[str]:
    """Return which classes are taken for which most often."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_PAIRS]
    return [
        f"{names[true]} taken for {names[said]}: {wrong[true, said]}"
        for true, said in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[true, said]
    ]


def _worst(session: Preparing) -> tuple[tuple[int, str, str, str], ...]:
    """Return held-out images that are mistaken with most certainty."""
    shown = session.shown
    assert shown.network is not None
    _, at = measured_images(session.dataset.split, shown.labels)
    predictions = shown.network.predictions
    said = predicted_classes(predictions)[at]
    wrong = np.flatnonzero(said != shown.labels[at])
    sure = predictions.probabilities[at[wrong], said[wrong]]
    first = wrong[np.argsort(-sure, kind="stable")][:_WORST]
    names = shown.class_names
    return tuple(
        (
            int(at[i]),
            names[shown.labels[at[i]]],
            names[said[i]],
            f"{predictions.probabilities[at[i], said[i]]:.0%}",
        )
        for i in first
    )


def _round(number: int, past: Round, dataset: ImageDataset) -> Values:
    evidence = past.evidence
    edits = Codec(dataset.ids).unstructure(list(past.edits))
    text = json.dumps(edits, indent=1, ensure_ascii=False)
    return {
        "number": number,
        "status": past.status.value,
        "created": past.created,
        "seconds": f"{past.seconds:.1f}",
        "verdict": evidence.verdict(),
        "cautions": evidence.cautions(),
        "measured": f"{evidence.n_images:,} {evidence.measured_on} images",
        "arms": _arms(evidence),
        "fixed": len(evidence.fixed),
        "broken": len(evidence.broken),
        "drift": "" if np.isnan(evidence.drift) else f"{evidence.drift:.0%}",
        "followed": f"{int(evidence.followed.sum()):,} of {len(evidence.followed):,}",
        "edits": [*map(describe, past.edits)],
        "settings": _settings(past.settings),
        "file": base64.b64encode(text.encode()).decode(),
    }


def _arms(evidence: Evidence) -> list[tuple[str, str, str, str]]:
    """Return title, meaning, accuracy and what "after" is above it, of each arm."""
    rows = []
    for name, arm in ARMS.items():
        if name in evidence.arms:
            gain = evidence.over.get(name)
            over = ""
            if gain is not None:
                low, value, high = (100 * x for x in (gain.low, gain.value, gain.high))
                over = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
            measured = accuracy_in_words(evidence.arms[name])
            rows.append((arm.title, arm.meaning, measured, over))
    return rows


def _versions() -> list[tuple[str, str]]:
    found = [("napari-spaceediting", __version__)]
    for name in _LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return [
        *found,
        ("Python", platform.python_version()),
        ("System", platform.platform()),
    ]


def _commands(state: SessionState) -> list[str]:
    """Return the commands that repeat the session from its images."""
    folder = "again.spaceediting"
    commands = [f"napari-spaceediting new IMAGES {folder} --seed {state.seed}"]
    first: Checkpoint = state.rounds[0].before if state.rounds else state.shown
    network = first.network
    if network is None:
        return commands
    spec, train = network.spec, state.train
    options = f"--backbone {spec.backbone} --trainable {train.trainable}"
    options += f" --weights {spec.weights}" if spec.weights else ""
    options += " --mirror" if spec.mirror else ""
    commands.append(
        f"napari-spaceediting train {folder} {options} --epochs {train.epochs}"
    )
    if first.map is not None:
        commands.append(f"napari-spaceediting map {folder} --method {first.map.method}")
    kept = [n for n, past in enumerate(state.rounds, 1) if past.status == "accepted"]
    commands += [
        f"napari-spaceediting retrain {folder} --edits round-{number}.json --accept"
        for number in kept
    ]
    return commands


def _inlined(picture: NDArray[np.uint8]) -> str:
    """Return an (H, W, 3) picture as an address that holds it."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
