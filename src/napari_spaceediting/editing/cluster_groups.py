"""Clusters as groups to name, one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.answers import ProposalKind
from napari_spaceediting.editing.guidance import Guide, Proposal

_TOLD = 3
"""Classes of a cluster that are told at most."""


def clusters_to_name(guide: Guide, clusters: NDArray[np.int64]) -> list[Proposal]:
    """Propose to name what has no class in each cluster, the largest first.

    Parameters
    ----------
    guide : Guide
        What is known of the images, and what was answered.
    clusters : (N,) int64 array
        Cluster of every image, -1 for none.

    Returns
    -------
    list of Proposal
        Groups, of which the most central image comes first. The class that most of
        the labelled images of the cluster have is proposed or, where none has one,
        what the network says most often.
    """
    may = (guide.labels == UNLABELLED) & ~guide.settled & ~guide.held_out
    for answer in guide.answers:
        if answer.kind is ProposalKind.GROUP:
            may[answer.indices] = False
    found = []
    n_clusters = int(clusters.max(initial=-1)) + 1
    for number in range(n_clusters):
        members = np.flatnonzero(clusters == number)
        at = members[may[members]]
        if len(at):
            found.append(_group(guide, members, at, 1 - number / n_clusters))
    return found


def _group(
    guide: Guide, members: NDArray[np.int64], at: NDArray[np.int64], score: float
) -> Proposal:
    latents = guide.predictions.latents[at].astype(float)
    away = ((latents - latents.mean(axis=0)) ** 2).sum(axis=1)
    labels, names = guide.labels[members], guide.class_names
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    probabilities = guide.predictions.probabilities[at]
    said = np.empty(0, np.int64)
    if probabilities.shape[1]:
        said = np.bincount(probabilities.argmax(axis=1), minlength=len(names))
    best = counts if counts.any() else said
    tag = names[int(best.argmax())] if best.any() else None
    order = np.argsort(-counts, kind="stable")
    told = [f"{counts[each]:,} {names[each]}" for each in order[:_TOLD] if counts[each]]
    others = int(counts[order[_TOLD:]].sum())
    told += [f"{others:,} of other classes"] * bool(others)
    told.append(f"{np.count_nonzero(labels < 0):,} without a class")
    reason = f"A cluster of {len(members):,} images: {', '.join(told)}"
    if said.any():
        seen = int(said.argmax())
        reason += f"; the network says {names[seen]} for {said[seen]:,} of these"
    images = at[np.argsort(away, kind="stable")]
    return Proposal(ProposalKind.GROUP, images, f"{reason}.", tag, None, score)
