"""Photographs of heads, sorted by where they look; half of the people stay unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import arranging
from case_page import Run, gained, keep, sheet, told
from common import table
from napari_spaceediting.data.dataset import UNLABELLED
from napari_spaceediting.editing.image_edits import Intent, Move
from napari_spaceediting.editing.rival import components, logistic
from napari_spaceediting.jobs.job import finish, run_job
from napari_spaceediting.network.activations import activations
from napari_spaceediting.network.classifier import classifier_from
from napari_spaceediting.projection.neighbours import nearest
from napari_spaceediting.projection.settings import MapSettings
from napari_spaceediting.session.session import Session, new_session
from photo_networks import LITE0
from real_sets import features_of

SEEDS = 5
ARRANGED = 100
_NEAR = 15
_POSES = tuple(sorted(arranging.POSES.values()))


def trial(data: Path, work: Path, seed: int, *, quick: bool) -> dict[str, float]:
    """Arrange heads of ten people, and see how those of the ten others lie."""
    begun = arranging.begin_heads(data, work, LITE0)
    begun.set_map_settings(MapSettings("pca"))
    dataset = begun.dataset
    pose, unseen = dataset.columns["pose"], dataset.held_out
    judged = np.flatnonzero(unseen & np.isfinite(pose))
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.flatnonzero(~unseen & np.isfinite(pose)))[:ARRANGED]
    found: dict[str, float] = {}
    for way, along, group in (
        ("one by one", pose[chosen], False),
        ("three drags", pose[chosen], True),
        ("at random", rng.permutation(pose[chosen]), False),
    ):
        session = Session(begun.state)
        _arrange(session, chosen, along, in_groups=group)
        axis = run_job(session.finding_axes())[0]
        found |= _ordered(way, axis.values, pose, chosen, judged)
        found |= {f"{way}: R²": axis.r2, f"{way}: offered": float(axis.holds)}
        if way == "three drags":
            found |= _neighbours("axis", axis.values[:, None], dataset, pose, judged)
    assert begun.shown.network is not None
    latents = begun.shown.network.predictions.latents
    found |= _neighbours("map before", latents, dataset, pose, judged)
    return found | _named(begun, pose, chosen, judged)


def _arrange(
    session: Session,
    at: NDArray[np.int64],
    along: NDArray[np.float64],
    *,
    in_groups: bool,
) -> None:
    """Lay images on a line; or carry each group as a whole, which keeps its shape."""
    if not in_groups:
        arranging.arrange(session, at, along)
        return
    places = session.edits.positions
    far = 1.5 * np.ptp(places, axis=0).max()
    for place in _POSES:
        group = at[along == place]
        end = places[group] + np.array([place * far, 0], np.float32)
        session.apply(Move(group, places[group], end, Intent.ARRANGE))


def _ordered(
    way: str,
    values: NDArray[np.floating],
    pose: NDArray[np.float64],
    chosen: NDArray[np.int64],
    judged: NDArray[np.int64],
) -> dict[str, float]:
    """Return how well values order the unseen, and how often they say the pose.

    The pose is that of the arranged images whose median is nearest.
    """
    from scipy.stats import spearmanr

    middles = np.array([np.median(values[chosen][pose[chosen] == p]) for p in _POSES])
    said = np.array(_POSES)[abs(values[judged, None] - middles).argmin(axis=1)]
    return {
        f"{way}: rank correlation": float(
            spearmanr(values[judged], pose[judged]).statistic
        ),
        f"{way}: right, %": float(100 * (said == pose[judged]).mean()),
    }


def _neighbours(
    name: str,
    space: NDArray[np.floating],
    dataset: object,
    pose: NDArray[np.float64],
    judged: NDArray[np.int64],
) -> dict[str, float]:
    """Return of the 15 nearest of unseen heads how many share person and pose."""
    people = dataset.columns["group"][judged]  # type: ignore[attr-defined]
    near, _ = nearest(space[judged].astype(np.float32), _NEAR)
    same = {"person": people[near] == people[:, None]}
    same["pose"] = pose[judged][near] == pose[judged][:, None]
    return {f"{name}: same {k}, %": float(100 * v.mean()) for k, v in same.items()}


def _named(
    begun: Session,
    pose: NDArray[np.float64],
    chosen: NDArray[np.int64],
    judged: NDArray[np.int64],
) -> dict[str, float]:
    """Return how often logistic regression and the program's classes say the pose."""
    labels = np.full(len(pose), UNLABELLED)
    labels[chosen] = np.searchsorted(_POSES, pose[chosen])
    network, pool = begun.shown.network, np.flatnonzero(~begun.dataset.held_out)
    assert network is not None
    space = components(features_of(begun), pool)
    classifier = classifier_from(network.spec, network.state)
    maps = finish(activations(classifier, begun.dataset, "last_block", device="cpu"))
    wide = components(maps.reshape(len(maps), -1), pool)
    named = new_session(
        replace(begun.dataset, labels=labels, class_names=("left", "straight", "right"))
    )
    named.set_train_settings(begun.state.train)
    said = run_job(named.training(network.spec)).predictions.probabilities
    found = {}
    for way, p in (
        ("logistic regression", logistic(space, labels, chosen, 3)),
        ("logistic regression, maps", logistic(wide, labels, chosen, 3)),
        ("three classes", said),
    ):
        right = np.array(_POSES)[p[judged].argmax(axis=1)] == pose[judged]
        order = _ordered(way, p @ np.array(_POSES), pose, chosen, judged)
        found[f"{way}: rank correlation"] = order[f"{way}: rank correlation"]
        found[f"{way}: right, %"] = float(100 * right.mean())
    return found


def scene(data: Path, work: Path, runs: Run) -> None:
    """Carry heads to where they look, make an axis, and lay all heads along it."""
    from qtpy.QtTest import QTest

    from case_window import window
    from napari_spaceediting.plugin.status import Step

    begun = arranging.begin_heads(data, work, LITE0)
    pose, unseen = begun.dataset.columns["pose"], begun.dataset.held_out
    rng = np.random.default_rng(0)
    chosen = rng.permutation(np.flatnonzero(~unseen & np.isfinite(pose)))[:ARRANGED]
    with window(begun, work) as camera:
        edits = camera.bench.panels.edits
        camera.show_only(Step.MAP)
        camera.colour_by("Group")
        camera.picture("heads-people")
        camera.viewer.scene.camera.zoom *= 0.3
        camera.show_only(Step.EDITS)
        for place in _POSES:
            camera.carry(chosen[pose[chosen] == place], (round(300 * place), 10))
            if place < 0:
                camera.bench.map.naming.picker.arrange_button.click()
                camera.picture("heads-drag")
            camera.press_keys("a")
        QTest.keyClicks(edits.axis_name, "pose")
        edits.axis_button.click()
        camera.wait(lambda: camera.session.state.axes)
        camera.bench.state.select(np.empty(0, np.int64))
        camera.show_only(Step.MAP)
        camera.bench.panels.map.along_check.click()
        camera.idle()
        camera.map.zoom_to_fit()
        camera.picture("heads-axis")
        values = camera.session.state.axes[0].axis.values
    keep(_people_in_order(begun, values), "heads-order")


def _people_in_order(begun: Session, values: NDArray[np.floating]) -> Image.Image:
    """Draw heads of some people that were never arranged, as the axis orders them."""
    dataset = begun.dataset
    people = dataset.columns["group"]
    known = dataset.held_out & np.isfinite(dataset.columns["pose"])
    rows = []
    for number, who in enumerate(np.unique(people[known])[:5]):
        at = np.flatnonzero(known & (people == who))
        at = at[np.argsort(values[at])]
        at = at[np.linspace(0, len(at) - 1, 9).round().astype(int)]
        rows.append((f"person {number + 1}", [dataset.original(i) for i in at]))
    return sheet(rows, 84)


def words(runs: Run) -> dict[str, str]:
    """Return what the figures say on the page."""
    ways = {
        "three drags": "three drags, an axis",
        "one by one": "each image laid in its place, an axis",
        "at random": "control: as many images in shuffled places",
        "three classes": "the three poses as classes, in the program",
        "logistic regression": "logistic regression, same labels and features",
        "logistic regression, maps": "the same, on the features before pooling",
    }
    rows = [
        (what, told(runs, f"{w}: rank correlation", 2), told(runs, f"{w}: right, %"))
        for w, what in ways.items()
    ]
    return dict(
        table=table(("what is learnt from", "rank correlation", "pose right, %"), rows),
        named=gained(runs, "three classes: right, %", "three drags: right, %"),
        over=gained(runs, "three classes: right, %", "logistic regression: right, %"),
        over_maps=gained(
            runs, "three classes: right, %", "logistic regression, maps: right, %"
        ),
        r2=told(runs, "three drags: R²", 2),
        offered=str(sum(run["three drags: offered"] == 1 for run in runs)),
        chance=str(sum(run["at random: offered"] == 1 for run in runs)),
        **{
            f"{space}_{what}": told(runs, f"{name}: same {what}, %", 0).removesuffix(
                " ± 0"
            )
            for space, name in (
                ("before", "map before"),
                ("axis", "axis"),
            )
            for what in ("person", "pose")
        },
    )
