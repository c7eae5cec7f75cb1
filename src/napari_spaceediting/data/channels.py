"""Images whose channels lie in one file each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.data.meaning import Header
from napari_spaceediting.data.pixels import FilePixels, digest
from napari_spaceediting.errors import DataError


@dataclass(frozen=True)
class ChannelPixels:
    """One file for each channel of an image.

    Parameters
    ----------
    channels : tuple of FilePixels
        Of as many grey images each.
    """

    channels: tuple[FilePixels, ...]

    @property
    def n_channels(self) -> int:
        """Channels of the images."""
        return len(self.channels)

    def __len__(self) -> int:
        return len(self.channels[0])

    def files(self) -> list[Path]:
        """Return the real paths of the first channel."""
        return self.channels[0].files()

    def read(self, index: int) -> NDArray[Any]:
        """Return image `index`, (H, W, C), read from its files."""
        images = [channel.read(index) for channel in self.channels]
        self._check(index, [Header(image.shape, image.dtype) for image in images])
        return np.stack(images, axis=-1)

    def header(self, index: int) -> Header | None:
        """Return what the heads of its files tell of image `index`."""
        headers = [channel.header(index) for channel in self.channels]
        known = [header for header in headers if header is not None]
        if len(known) < len(headers):
            return None
        self._check(index, known)
        dtype = np.result_type(*(header.dtype for header in known))
        return Header((*known[0].shape, len(known)), dtype)

    def key(self) -> str:
        """Return a digest of the channels' keys."""
        return digest(channel.key().encode() for channel in self.channels)

    def _check(self, index: int, headers: list[Header]) -> None:
        for channel, header in zip(self.channels, headers, strict=True):
            if header.shape != headers[0].shape or len(header.shape) != 2:
                shape = " x ".join(map(str, header.shape))
                raise DataError(
                    f"The channel {channel.paths[index]} is {shape}: the channels of "
                    f"an image must be grey and of one size."
                )
