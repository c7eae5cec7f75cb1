"""What was opened, in words: a note to read at once, and the details."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from napari_spaceediting.data.dataset import ImageDataset, Skipped, Split

_SCALED = {
    "dtype": "intensities as they are",
    "range": "intensities stretched from their full range",
    "percentile": "intensities stretched",
}
_REASONS = {
    "a kind that is not read": "of a kind that is not read",
    "cannot be read": "cannot be read",
    "ends too early": "cannot be read",
    "is empty": "cannot be read",
    "stack of planes": "stacks",
    "where the others have": "of another type",
    "is missing": "missing",
    "same file": "twice there",
    "same image": "twice there",
    "NaN": "with NaN",
    "channels": "of other channels",
    "pixels": "too small",
    "cells": "in broken rows",
    "is broken": "in broken rows",
    "has no path": "without a path",
}
"""Parts of reasons, and what they come to in two or three words."""
_NOT_READ = re.compile(r"is an? (.+?), which is not read")
_LISTED_CLASSES = 12


def note_of(dataset: ImageDataset) -> str:
    """Return how many images of what there are, how scaled, split, and left out.

    It is read in five seconds; `details_of` has the rest.
    """
    height, width = dataset.image_size
    colours = {1: "grey", 3: "in colour"}
    channels = colours.get(dataset.n_channels, f"{dataset.n_channels} channels")
    counts = np.bincount(dataset.split, minlength=len(Split))
    held_out = int(counts.sum() - counts[Split.TRAIN])
    note = (
        f"{_counted(len(dataset), 'image')}, {width} x {height} px, {channels}, "
        f"{_labelled(dataset)}; {counts[Split.TRAIN]:,} to train on and {held_out:,} "
        f"held out; {_scaled(dataset)}."
    )
    if not dataset.skipped:
        return note
    reasons = _by_reason(dataset.skipped)
    total = sum(reasons.values())
    said = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common(3))
    more = ", …" if len(reasons) > 3 else ""
    return f"{note} Left out {total:,}: {said}{more}."


def details_of(dataset: ImageDataset) -> tuple[str, ...]:
    """Return what the note has no room for, a line each."""
    counts = np.bincount(dataset.split, minlength=len(Split))
    labelled = int(dataset.is_labelled.sum())
    lines = [
        f"Training {counts[Split.TRAIN]:,}, "
        f"validation {counts[Split.VALIDATION]:,}, test {counts[Split.TEST]:,}",
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
        lines.append(f"{_counted(dataset.n_classes, 'class')}: {shown}{more}")
    return (*lines, dataset.scaling.describe(), *dataset.notes)


def in_words(dataset: ImageDataset) -> str:
    """Return name and note, the details, and what was left out."""
    lines = f"{dataset.name}: {note_of(dataset)}", *details_of(dataset)
    return "\n".join([*lines, *left_out(dataset)])


def left_out(dataset: ImageDataset) -> tuple[str, ...]:
    """Return a line for each reason that images were left out, with an example."""
    counts = Counter(entry.reason for entry in dataset.skipped).most_common()
    names = {entry.reason: entry.name for entry in reversed(dataset.skipped)}
    return tuple(
        f"Left out {count:,}, such as {names[reason]}: {reason}"
        if count > 1
        else f"Left out {names[reason]}: {reason}"
        for reason, count in counts
    )


def _scaled(dataset: ImageDataset) -> str:
    if dataset.scaling.others:
        return "the intensities of each type stretched by themselves"
    return _SCALED[dataset.scaling.mode]


def _labelled(dataset: ImageDataset) -> str:
    if not dataset.is_labelled.any():
        return "unlabelled"
    classes = _counted(dataset.n_classes, "class")
    without = int((~dataset.is_labelled).sum())
    return f"in {classes}" + (f" ({without:,} unlabelled)" if without else "")


def _by_reason(skipped: Iterable[Skipped]) -> Counter[str]:
    """Count what was left out by reason; an entry may stand for several files."""
    found: Counter[str] = Counter()
    for entry in skipped:
        kind = _NOT_READ.match(entry.reason)
        texts = (text for part, text in _REASONS.items() if part in entry.reason)
        several = re.match(r"([\d,]+) files? ", entry.reason)
        found[kind[1] if kind else next(texts, "for other reasons")] += (
            int(several[1].replace(",", "")) if several else 1
        )
    return found


def _counted(count: int, noun: str) -> str:
    """Return such as "1 class" or "2,000 classes"."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
