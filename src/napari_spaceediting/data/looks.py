"""How channels are shown: contrast, gamma and colour, the same for all images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

COLOURS: dict[str, tuple[float, float, float]] = {
    "grey": (1, 1, 1),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "magenta": (1, 0, 1),
    "cyan": (0, 1, 1),
    "yellow": (1, 1, 0),
    "hidden": (0, 0, 0),
}
"""Colours that a channel can have, RGB from 0 to 1."""
_USUAL = {1: ("grey",), 2: ("green", "magenta")}
"""Colours of one and of two channels; of more, the first three are red, green, blue."""
STEPS = 1 << 16
"""Values that a channel of `Sized` has, from black to white."""


@dataclass(frozen=True)
class ChannelLook:
    """How a channel is shown.

    Parameters
    ----------
    colour : str
        A key of `COLOURS`.
    low, high : float
        Scaled intensities that are black and in full colour, 0 to 1.
    gamma : float
        Exponent of what lies between, over 0; less than 1 lightens.
    """

    colour: str
    low: float = 0.0
    high: float = 1.0
    gamma: float = 1.0


@dataclass(frozen=True)
class Look:
    """How images are shown; each channel adds its colour to the picture.

    Parameters
    ----------
    channels : tuple of ChannelLook
        One for each channel.
    """

    channels: tuple[ChannelLook, ...]

    @classmethod
    def usual(cls, n_channels: int) -> Look:
        """Return how images are shown at first, which is as in `channels_to_rgb`."""
        more = ("red", "green", "blue", *["hidden"] * n_channels)
        names = _USUAL.get(n_channels, more[:n_channels])
        return cls(tuple(map(ChannelLook, names)))

    @property
    def is_usual(self) -> bool:
        """Whether nothing has been changed."""
        return self == self.usual(len(self.channels))

    def with_channel(self, number: int, channel: ChannelLook) -> Look:
        """Return the look with another one for a channel."""
        channels = list(self.channels)
        channels[number] = channel
        return replace(self, channels=tuple(channels))

    def render(self, values: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return a picture.

        Parameters
        ----------
        values : (h, w, C) uint16 array
            Scaled intensities: 0 for 0, 65535 for 1. Further channels than there are
            looks for are not shown.

        Returns
        -------
        (h, w, 3) uint8 array
            Red, green and blue.
        """
        picture = np.zeros((*values.shape[:2], 3), np.float32)
        for number, channel in enumerate(self.channels[: values.shape[2]]):
            colour = COLOURS[channel.colour]
            if any(colour):
                shade = _brightness(channel)[values[..., number]]
                for part, share in enumerate(colour):
                    if share:
                        picture[..., part] += share * shade
        return np.asarray(np.rint(255 * np.clip(picture, 0, 1)), np.uint8)


def as_values(picture: NDArray[np.uint8], n_channels: int) -> NDArray[np.uint16]:
    """Return what a picture that is shown as usual tells, (h, w, C) uint16.

    Parameters
    ----------
    picture : (h, w, 3) uint8 array
        As from `channels_to_rgb`, such as a thumbnail.
    n_channels : int
        Channels of the image; of more than three the first three are told.
    """
    told = {1: [0], 2: [1, 0]}.get(n_channels, [0, 1, 2])
    return picture[..., told].astype(np.uint16) * np.uint16(257)


@lru_cache(maxsize=32)
def _brightness(channel: ChannelLook) -> NDArray[np.float32]:
    """Return the (65536,) brightness, 0 to 1, of the values of a channel."""
    span = max(channel.high - channel.low, 1 / STEPS)
    level = (np.linspace(0, 1, STEPS, dtype=np.float32) - channel.low) / span
    return np.asarray(np.clip(level, 0, 1) ** channel.gamma, np.float32)
