"""Originals that stand in for thumbnails where these are too small."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from PIL import Image

from napari_spaceediting.data.arrays import find_in_stack
from napari_spaceediting.data.looks import ChannelLook, Look
from napari_spaceediting.data.open import OpenDataset, OpenLayers
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.plugin.pictures import Pictures


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    array = rng.integers(0, 255, (4, 300, 200), dtype=np.uint8)
    return run_job(OpenLayers(partial(find_in_stack, array)))


def taken(dataset) -> Pictures:
    pictures = Pictures()
    pictures.take(dataset, dataset.thumbnails(range(len(dataset)), 16), Look(()))
    return pictures


def test_a_thumbnail_is_drawn_until_the_original_is_there(qtbot, dataset):
    pictures = taken(dataset)
    before = pictures.stamp(2)
    assert pictures.at(2, 16).shape == (16, 16, 3)
    with qtbot.waitSignal(pictures.arrived) as arrived:
        assert pictures.at(2, 150).shape == (16, 16, 3)
    assert arrived.args[0].tolist() == [2]
    assert pictures.at(2, 150).shape == (256, 171, 3)
    assert pictures.stamp(2) != before
    with qtbot.waitSignal(pictures.arrived):
        pictures.ask(2, 900)
    whole = pictures.at(2, 900)
    assert np.array_equal(whole[..., 0], dataset.original(2))
    pictures.ask(2, 5000)
    assert not pictures._waiting, "there is no larger one"


def test_what_was_asked_for_last_comes_first(qtbot, dataset):
    pictures = taken(dataset)
    order = []
    pictures.arrived.connect(lambda found: order.append(found.tolist()))
    for index in range(4):
        pictures.ask(index, 150)
    qtbot.waitUntil(lambda: sum(map(len, order)) == 4)
    assert order == [[0], [3, 2, 1]]


def test_another_look_is_drawn_of_thumbnails_and_originals(qtbot, dataset):
    pictures = taken(dataset)
    with qtbot.waitSignal(pictures.arrived):
        pictures.ask(0, 900)
    pictures.show_as(Look((ChannelLook("red"),)))
    with qtbot.waitSignal(pictures.arrived):
        pictures.ask(0, 900)
    assert not pictures.at(0, 900)[..., 1:].any()
    assert np.array_equal(pictures.at(0, 900)[..., 0], dataset.original(0))
    assert not pictures.at(1, 16)[..., 1:].any(), "a thumbnail has that look at once"


def test_what_cannot_be_read_keeps_its_thumbnail_and_says_why(qtbot, tmp_path):
    for n in range(12):
        shade = np.full((90, 90), 20 * n, np.uint8)
        Image.fromarray(shade).save(tmp_path / f"{n}.png")
    dataset = run_job(OpenDataset(tmp_path))
    pictures = taken(dataset)
    (tmp_path / f"{dataset.ids[3]}").unlink()
    with qtbot.waitSignal(pictures.arrived):
        pictures.ask(3, 80)
    assert pictures.at(3, 80).shape == (16, 16, 3)
    assert str(dataset.ids[3]) in pictures.why_not(3)
    assert not pictures._waiting, "it is not asked for again"


def test_what_comes_of_other_images_is_dropped(qtbot, dataset):
    pictures = taken(dataset)
    heard = []
    pictures.arrived.connect(heard.append)
    pictures.ask(0, 150)
    other = dataset.subset([3, 2, 1, 0])
    pictures.take(other, other.thumbnails(range(4), 16), Look(()))
    with qtbot.waitSignal(pictures.arrived):
        pictures.ask(1, 900)
    assert [found.tolist() for found in heard] == [[1]]
    assert np.array_equal(pictures.at(1, 900)[..., 0], dataset.original(2))
