"""How channels are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_spaceediting.colours import channels_to_rgb
from napari_spaceediting.data.looks import STEPS, ChannelLook, Look, as_values


def values(n_channels: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, STEPS, (5, 4, n_channels)).astype(np.uint16)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
def test_at_first_images_look_as_their_thumbnails(n_channels):
    shown = Look.usual(n_channels).render(values(n_channels))
    thumbnail = channels_to_rgb(values(n_channels) / np.float32(STEPS - 1))
    assert np.abs(shown.astype(int) - thumbnail).max() <= 1


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_a_thumbnail_tells_the_channels_that_it_was_made_of(n_channels):
    thumbnail = Look.usual(n_channels).render(values(n_channels))
    told = as_values(thumbnail, n_channels).astype(int)
    assert np.abs(told - values(n_channels)).max() <= STEPS / 255


def test_contrast_limits_gamma_and_colour():
    ramp = np.linspace(0, STEPS - 1, 5).astype(np.uint16).reshape(1, 5, 1)
    red = Look((ChannelLook("red", low=0.25, high=0.75),)).render(ramp)
    assert red[0, :, 0].tolist() == [0, 0, 127, 255, 255]
    assert not red[..., 1:].any()
    light = Look((ChannelLook("grey", gamma=0.5),)).render(ramp)
    assert light[0, 1].tolist() == [127, 127, 127]


def test_channels_add_up_and_can_be_hidden():
    look = Look((ChannelLook("red"), ChannelLook("yellow")))
    full = np.full((1, 1, 2), STEPS - 1, np.uint16)
    assert look.render(full)[0, 0].tolist() == [255, 255, 0]
    hidden = look.with_channel(1, replace(look.channels[1], colour="hidden"))
    assert hidden.render(full)[0, 0].tolist() == [255, 0, 0]
    assert not hidden.is_usual


def test_limits_that_meet_part_dark_from_light():
    look = Look((ChannelLook("grey", low=0.5, high=0.5),))
    ramp = np.array([0, 20_000, 50_000, STEPS - 1], np.uint16).reshape(1, 4, 1)
    assert look.render(ramp)[0, :, 0].tolist() == [0, 0, 255, 255]
