"""What was opened, in words: a note to read at once, and the details."""

from __future__ import annotations

from collections import Counter

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset, Split
from napari_spaceediting.wording import counted

_SCALED = {
    "dtype": "intensities as they are",
    "range": "intensities stretched from their full range",
    "percentile": "intensities stretched",
}
_LISTED_CLASSES = 12


def note_of(dataset: ImageDataset) -> str:
    """Return how many images of what there are, how scaled, split, and left out.

    It is read in five seconds; `details_of` has the rest.
    """
    counts = np.bincount(dataset.split, minlength=len(Split))
    held_out = int(counts[Split.VALIDATION] + counts[Split.TEST])
    what = counted(len(dataset), "image") if dataset.has_images else ""
    said = [f"{what}, {_look_of(dataset)}" if what else counted(len(dataset), "point")]
    if dataset.features is not None:
        said.append(f"with embeddings of {dataset.features.shape[1]:,} numbers")
    said.append(_labelled(dataset))
    parts = f"{counts[Split.TRAIN]:,} to train on and {held_out:,} held out"
    scaled = f"; {_scaled(dataset)}" * dataset.has_images
    note = f"{', '.join(said)}; {parts}{scaled}."
    if not dataset.skipped:
        return note
    usual, _ = Counter(entry.reason for entry in dataset.skipped).most_common(1)[0]
    name = next(entry.name for entry in dataset.skipped if entry.reason == usual)
    why, _, _what_to_do = usual.partition(": ")
    return f"{note} Left out {len(dataset.skipped):,}, such as {name} ({why})."


def details_of(dataset: ImageDataset) -> tuple[str, ...]:
    """Return what the note has no room for, a line each."""
    counts = np.bincount(dataset.split, minlength=len(Split))
    labelled = int(dataset.is_labelled.sum())
    lines = [
        f"Training {counts[Split.TRAIN]:,}, "
        f"validation {counts[Split.VALIDATION]:,}, test {counts[Split.TEST]:,}"
        + f", rejected {counts[Split.REJECTED]:,}"
        * bool(counts[Split.REJECTED]),
        f"Labelled {labelled:,}, unlabelled {len(dataset) - labelled:,}",
    ]
    if dataset.class_names:
        labels = dataset.labels[dataset.is_labelled]
        counts = np.bincount(labels, minlength=dataset.n_classes)
        shown = ", ".join(
            f"{name} {count:,}"
            for name, count in zip(
                dataset.class_names[:_LISTED_CLASSES], counts, strict=False
            )
        )
        left = dataset.n_classes - _LISTED_CLASSES
        more = f" and {left:,} more" if left > 0 else ""
        lines.append(f"{counted(dataset.n_classes, 'class')}: {shown}{more}")
    scaling = (dataset.scaling.describe(),) * dataset.has_images
    return (*lines, *scaling, *dataset.notes)


def left_out(dataset: ImageDataset) -> tuple[str, ...]:
    """Return why images were left out: each reason, how often, with an example."""
    counts = Counter(entry.reason for entry in dataset.skipped).most_common()
    names = {entry.reason: entry.name for entry in reversed(dataset.skipped)}
    return tuple(
        f"Left out {count:,}, such as {names[reason]}: {reason}"
        if count > 1
        else f"Left out {names[reason]}: {reason}"
        for reason, count in counts
    )


def in_words(dataset: ImageDataset) -> str:
    """Return name and note, the details, and why images were left out."""
    said = f"{dataset.name}: {note_of(dataset)}"
    return "\n".join([said, *details_of(dataset), *left_out(dataset)])


def _look_of(dataset: ImageDataset) -> str:
    height, width = dataset.image_size
    colours = {1: "grey", 3: "in colour"}
    channels = colours.get(dataset.n_channels, f"{dataset.n_channels} channels")
    return f"{width} x {height} px, {channels}"


def _scaled(dataset: ImageDataset) -> str:
    if dataset.scaling.others:
        return "the intensities of each type stretched by themselves"
    return _SCALED[dataset.scaling.mode]


def _labelled(dataset: ImageDataset) -> str:
    if not dataset.is_labelled.any():
        return "unlabelled"
    classes = counted(dataset.n_classes, "class")
    without = int((~dataset.is_labelled).sum())
    return f"in {classes}" + (f" ({without:,} unlabelled)" if without else "")
