from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_spaceediting.editing.axis import (
    LEAST_ARRANGED,
    Axis,
    coordinates_of,
    described,
    goodness,
    learn,
)


def maps_of(along: np.ndarray, seed: int = 0, bright: float = 3) -> np.ndarray:
    """Return (m, 4, 4, 4) maps that brighten where `along` says, on a noisy ground."""
    rng = np.random.default_rng(seed)
    columns = np.linspace(-1, 1, 4)
    spots = np.exp(-8 * (along[:, None] - columns) ** 2)[:, None, None, :]
    brightness = rng.uniform(1, bright, (len(along), 4, 1, 1))
    maps = brightness + spots + rng.normal(0, 0.1, (len(along), 4, 4, 4))
    return maps.astype(np.float32)


def axis(r2: float, n_arranged: int = 100, **more) -> Axis:
    values = np.zeros(3, np.float32)
    settings = {"title": "places along it", "is_circular": False, **more}
    return Axis(
        values=values,
        r2=r2,
        rank_correlation=0.8,
        n_arranged=n_arranged,
        **settings,
    )


# What an arrangement says


def test_places_on_a_slanted_line_are_one_coordinate():
    along = np.linspace(-3, 3, 40)
    places = np.c_[0.8 * along, 0.6 * along] + [10, 20]
    (found,) = coordinates_of(places.astype(np.float32))
    assert not found.is_circular
    assert_allclose(found.targets[:, 0], along, atol=1e-4)


def test_a_coordinate_goes_the_way_of_the_map():
    along = np.linspace(-3, 3, 40)
    for direction in ([-1, 0], [0, -1], [-1, -0.5]):
        (found,) = coordinates_of(along[:, None] * direction)
        main = (along[:, None] * direction)[:, np.abs(direction).argmax()]
        assert np.corrcoef(found.targets[:, 0], main)[0, 1] > 0.99


@pytest.mark.parametrize(("width", "count"), [(0.2, 1), (0.5, 2)])
def test_what_lies_across_counts_from_a_third_on(width, count):
    places = np.random.default_rng(0).normal(size=(300, 2)) * [1, width]
    found = coordinates_of(places)
    assert len(found) == count
    assert len({one.title for one in found}) == count


def test_a_ring_is_read_as_angles():
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    places = np.c_[np.cos(angles), np.sin(angles)] * 4 + [7, -3]
    (found,) = coordinates_of(places)
    assert found.is_circular
    read = found.read(found.targets.astype(np.float32))
    assert_allclose(np.cos(np.radians(read)), np.cos(angles), atol=1e-4)
    assert_allclose(np.sin(np.radians(read)), np.sin(angles), atol=1e-4)


def test_an_arc_is_no_ring():
    angles = np.linspace(0, np.pi, 30)
    found = coordinates_of(np.c_[np.cos(angles), np.sin(angles)])
    assert not any(one.is_circular for one in found)


@pytest.mark.parametrize("places", [np.empty((0, 2)), np.ones((1, 2)), np.ones((9, 2))])
def test_images_in_one_place_say_nothing(places):
    assert coordinates_of(places) == ()


# The regression


def test_an_axis_is_read_off_images_that_it_has_not_seen():
    along, new = np.random.default_rng(1).uniform(-1, 1, (2, 80))
    read = learn(maps_of(along), along[:, None])
    assert goodness(along[:, None], read.foretold)[0] > 0.8
    assert np.corrcoef(read(maps_of(new, seed=2))[:, 0], new)[0, 1] > 0.9


def test_shuffled_places_do_not_follow():
    rng = np.random.default_rng(1)
    along = rng.uniform(-1, 1, 80)
    targets = rng.permutation(along)[:, None]
    assert goodness(targets, learn(maps_of(along), targets).foretold)[0] < 0.2


def test_what_only_the_means_of_maps_show_is_found():
    rng = np.random.default_rng(1)
    share = rng.uniform(0.2, 0.8, 80)
    ground = np.stack([share, 1 - share, np.ones(80) / 2], axis=1)[..., None, None]
    maps = (ground + rng.normal(0, 0.02, (80, 3, 4, 4))).astype(np.float32)
    read = learn(maps, share[:, None])
    assert read.keeps_means
    assert goodness(share[:, None], read.foretold)[0] > 0.9


def test_the_layout_alone_is_taken_where_it_foretells_better():
    along = np.random.default_rng(1).uniform(-1, 1, 80)
    assert not learn(maps_of(along, bright=30), along[:, None]).keeps_means


def test_activations_without_a_layout_are_read_too():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(60, 5)).astype(np.float32)
    targets = described(rows, keeps_means=True)[:, :1].astype(np.float64)
    read = learn(rows, targets)
    assert goodness(targets, read.foretold)[0] > 0.9
    assert_allclose(read(rows), targets, atol=0.05)


def test_the_figures_are_for_groups_that_were_left_out():
    """Images of a group look alike and lie in one place: they say nothing of others."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(10), 8)
    looks = rng.normal(size=(10, 6)).astype(np.float32)
    rows = looks[groups] + rng.normal(0, 0.05, (80, 6)).astype(np.float32)
    targets = rng.permutation(10)[groups][:, None].astype(np.float64)
    alone = goodness(targets, learn(rows, targets).foretold)[0]
    apart = goodness(targets, learn(rows, targets, groups).foretold)[0]
    assert alone > 0.5
    assert apart < 0.3


def test_images_of_a_single_group_are_dealt_like_others():
    along = np.random.default_rng(1).uniform(-1, 1, 40)
    read = learn(maps_of(along), along[:, None], np.zeros(40))
    assert_array_equal(read.foretold, learn(maps_of(along), along[:, None]).foretold)


def test_the_length_of_activations_does_not_matter():
    maps = maps_of(np.linspace(-1, 1, 5))
    for keeps in (True, False):
        one = described(maps, keeps_means=keeps)
        assert_allclose(one, described(3 * maps, keeps_means=keeps), atol=1e-5)
        assert np.isfinite(described(0 * maps, keeps_means=keeps)).all()


# The verdict


def test_what_holds_says_how_well():
    assert axis(0.6).holds
    assert "60%" in axis(0.6).verdict
    assert "0.80" in axis(0.6).verdict


@pytest.mark.parametrize("r2", [0.49, 0.0, -0.7])
def test_what_does_not_hold_is_told_as_such(r2):
    assert not axis(r2).holds
    assert "do not follow from the images" in axis(r2).verdict
    assert "-" not in axis(r2).verdict


def test_few_images_are_not_believed():
    few = axis(0.9, LEAST_ARRANGED - 1)
    assert not few.holds
    assert f"at least {LEAST_ARRANGED}" in few.verdict
