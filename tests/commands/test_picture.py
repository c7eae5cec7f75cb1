from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.colours import class_colours
from napari_spaceediting.commands.picture import draw_round
from napari_spaceediting.editing.evidence import gather_evidence
from napari_spaceediting.editing.image_edits import Intent, Move, Pin
from napari_spaceediting.editing.settings import RetrainSettings
from napari_spaceediting.errors import SessionError
from napari_spaceediting.session.state import Checkpoint, Map, Round

N = 60


def make_round(
    names: tuple[str, ...] = ("cat", "dog"), spread: float = 1.0, measured: int = 10
) -> Round:
    """Return a round on two clusters; "cat" lies at small rows and columns."""
    labels = np.arange(N) % 2
    labels[30:] = -1
    rng = np.random.default_rng(0)
    places = rng.normal(size=(N, 2)) + 20 * (np.arange(N) % 2)[:, None]
    places = (spread * places).astype(np.float32)
    empty = np.empty((N, 0), np.int32)
    before = Checkpoint(
        names, labels, np.zeros(N, bool), None, Map(places, empty, "pca")
    )
    after = replace(before, map=Map(places[::-1].copy(), empty, "pca"))
    at = np.array([30, 32])
    truth = np.zeros(measured, int)
    return Round(
        edits=(
            Move(at, places[at], places[at] + 20 * spread, Intent.BELONGS, "dog"),
            Pin(np.array([31]), names[-1]),
        ),
        settings=RetrainSettings(),
        before=before,
        after=after,
        evidence=gather_evidence(
            measured_on="test",
            held_out=np.arange(50, 50 + measured),
            truth=truth,
            class_names=names,
            predicted={"before": np.zeros(N, int), "after": np.zeros(N, int)},
            drift=0.1,
            edited=at,
            tags=np.ones(2, int),
        ),
        losses=np.zeros(3, np.float32),
        seconds=1.0,
        created="2026-01-01T00:00:00+00:00",
    )


HELD_OUT = np.arange(N) >= 50


def draw(past: Round, path: Path) -> np.ndarray:
    draw_round(past, path, HELD_OUT)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"), np.float64)


def where(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the mean (row, column) of a colour within the left panel."""
    panel = picture[140:880, 40:780]
    near = np.abs(panel - 255 * colour[:3]).max(axis=2) < 4
    assert near.any()
    return np.argwhere(near).mean(axis=0)


def test_rows_grow_downwards_and_columns_to_the_right(tmp_path):
    picture = draw(make_round(), tmp_path / "round.png")
    cat, dog = (where(picture, colour) for colour in class_colours(2))
    assert (dog - cat > 200).all()


def test_before_and_after_are_drawn_at_one_scale(tmp_path):
    picture = draw(make_round(), tmp_path / "round.png")
    left, right = picture[140:880, 40:788], picture[140:880, 812:1560]
    assert (left != right).any()
    lit = [(panel.max(axis=2) > 60).mean() for panel in (left, right)]
    assert lit[0] > lit[1] > 0, "arrows are only on the left"


@pytest.mark.parametrize(
    "past",
    [
        make_round(spread=0.0),
        make_round(spread=1e6),
        make_round(names=tuple(f"a rather long class name {n}" for n in range(150))),
        make_round(measured=0),
        replace(make_round(), edits=()),
    ],
    ids=["one place", "far apart", "many classes", "nothing measured", "no edits"],
)
def test_unusual_rounds_are_drawn_too(past, tmp_path):
    assert draw(past, tmp_path / "round.png").std() > 1


def test_without_a_map_there_is_nothing_to_draw(tmp_path):
    past = make_round()
    with pytest.raises(SessionError, match="no map"):
        draw_round(
            replace(past, before=replace(past.before, map=None)),
            tmp_path / "x",
            HELD_OUT,
        )


def test_a_picture_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(SessionError, match="could not be written"):
        draw_round(make_round(), tmp_path / "no" / "round.png", HELD_OUT)
