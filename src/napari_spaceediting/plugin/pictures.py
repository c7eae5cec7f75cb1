"""Pictures of the images, as large as they are drawn and as the user has them shown."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.looks import Look, as_values
from napari_spaceediting.data.thumbnails import sized
from napari_spaceediting.errors import SpaceEditingError
from napari_spaceediting.plugin.threads import in_thread
from napari_spaceediting.plugin.widgets.recent import Recent

_LEVELS = (128, 256, 512, 1024, 2048)
"""Sizes in which originals are kept, in pixels of their longer side."""
_AT_ONCE = 4
"""Originals that are read in one go: those asked for last come first."""
_MOST_WAITING = 128
"""Originals that wait to be read; whoever still shows others asks again."""
_ROOM = 256 << 20
"""Bytes of originals that are kept."""


@dataclass(frozen=True, eq=False)
class _Read:
    """An original that was read, or why it could not be.

    Parameters
    ----------
    level : int
        The size that it was read for; no larger one is needed where it `is_full`.
    values : (h, w, C) uint16 array
        Scaled intensities.
    look : Look
        How `picture` is drawn.
    picture : (h, w, 3) uint8 array or None
        None where it cannot be read.
    why_not : str
        Why it cannot be read, "" where it can.
    """

    level: int
    is_full: bool
    values: NDArray[np.uint16]
    look: Look
    picture: NDArray[np.uint8] | None
    why_not: str = ""

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self.values.nbytes + (0 if self.picture is None else self.picture.nbytes)

    def suits(self, side: int, look: Look) -> bool:
        """Whether it is what is to be drawn at a side in pixels."""
        is_large = self.is_full or self.level >= side or self.level == _LEVELS[-1]
        return bool(self.why_not) or (is_large and self.look == look)


_UNREAD = np.empty((0, 0, 0), np.uint16)


class Pictures(QObject):
    """What is drawn of images: thumbnails, and originals where these are too small.

    Originals are read in a thread, the most recently asked for first. Until one is
    there, its thumbnail is drawn in its place.

    Signals
    -------
    arrived(int64 array)
        There are better pictures of these images.
    """

    arrived = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._dataset: ImageDataset | None = None
        self._thumbnails: NDArray[np.uint8] | None = None
        self._times = 0
        self.look = Look(())
        self._kept: Recent[int, _Read] = Recent(_ROOM)
        self._waiting: OrderedDict[int, int] = OrderedDict()
        self._stamps: dict[int, int] = {}
        self._reading_of: ImageDataset | None = None

    def __len__(self) -> int:
        return 0 if self._thumbnails is None else len(self._thumbnails)

    def take(
        self,
        dataset: ImageDataset | None,
        thumbnails: NDArray[np.uint8] | None,
        look: Look,
    ) -> None:
        """Take other images, with (N, s, s, 3) thumbnails as soon as there are any.

        Parameters
        ----------
        dataset : ImageDataset
            The images.
        thumbnails : (N, s, s, 3) uint8 array or None
            Small pictures of them.
        look : Look
            How they are shown; as at first where it has no channel.
        """
        if dataset is not self._dataset:
            self._dataset = dataset
            self._forget()
        n_channels = 0 if dataset is None else dataset.n_channels
        self.look = look if look.channels else Look.usual(n_channels)
        if thumbnails is not self._thumbnails:
            self._thumbnails = thumbnails
            self._times += 1

    def show_as(self, look: Look) -> None:
        """Draw all images in another way from now on."""
        self.look = look
        self.arrived.emit(np.arange(len(self)))

    def stamp(self, index: int) -> object:
        """Return what changes as soon as the picture of an image does."""
        return self._times, self._stamps.get(index, 0), self.look

    def why_not(self, index: int) -> str:
        """Return why the original of an image cannot be read; "" where it can."""
        read = self._kept.get(index)
        return "" if read is None else read.why_not

    def ask(self, index: int, side: int) -> None:
        """Ask for the original of an image if it is needed at a side in pixels."""
        if self._dataset is None or not self._has(index):
            return
        assert self._thumbnails is not None
        is_small = side <= max(self._thumbnails.shape[1:3])
        if is_small and self.look.is_usual:
            return
        read = self._kept.get(index)
        if read is None or not read.suits(side, self.look):
            level = next((level for level in _LEVELS if level >= side), _LEVELS[-1])
            self._waiting[index] = max(level, self._waiting.get(index, 0))
            self._waiting.move_to_end(index)
            if len(self._waiting) > _MOST_WAITING:
                self._waiting.popitem(last=False)
            self._read()

    def at(self, index: int, side: int) -> NDArray[np.uint8] | None:
        """Return the best picture that there is of an image, and ask for a better one.

        Parameters
        ----------
        index : int
            The image.
        side : int
            Of the square that it is drawn in, in pixels of the screen.

        Returns
        -------
        (h, w, 3) uint8 array or None
            None where there is no picture yet.
        """
        if not self._has(index):
            return None
        assert self._thumbnails is not None
        self.ask(index, side)
        thumbnail, look, read = (
            self._thumbnails[index],
            self.look,
            self._kept.get(index),
        )
        is_large = side > max(thumbnail.shape[:2])
        if look.is_usual and not is_large:
            return thumbnail
        if read is not None and read.picture is not None:
            return read.picture
        if look.is_usual:
            return thumbnail
        return look.render(as_values(thumbnail, len(look.channels)))

    def _has(self, index: int) -> bool:
        return 0 <= index < len(self)

    def shutdown(self) -> None:
        """Tell nobody of what is still being read: the window is gone."""
        self.blockSignals(True)
        self._waiting.clear()

    # Reading

    def _read(self) -> None:
        dataset, look = self._dataset, self.look
        if self._reading_of is not None or not self._waiting or dataset is None:
            return
        at = list(self._waiting)[: -_AT_ONCE - 1 : -1]
        wanted = [
            (index, self._waiting.pop(index), self._kept.get(index)) for index in at
        ]
        self._reading_of = dataset
        in_thread(
            lambda: {
                index: _read(dataset, index, level, look, known)
                for index, level, known in wanted
            },
            self._on_read,
            lambda _: self._on_read({}),
        )

    def _on_read(self, found: dict[int, _Read]) -> None:
        if self._reading_of is self._dataset and found:
            self._keep(found)
        self._reading_of = None
        self._read()

    def _keep(self, found: dict[int, _Read]) -> None:
        for index, read in found.items():
            for other in (index, *self._kept.put(index, read, read.size)):
                self._stamps[other] = self._stamps.get(other, 0) + 1
        self.arrived.emit(np.array([*found], np.int64))

    def _forget(self) -> None:
        self._kept.clear()
        self._waiting.clear()
        self._stamps.clear()


def _read(
    dataset: ImageDataset, index: int, level: int, look: Look, known: _Read | None
) -> _Read:
    """Read an original, or draw what is known of it in another way."""
    if known is not None and (known.is_full or known.level >= level):
        level, values, is_full = known.level, known.values, known.is_full
    else:
        try:
            values, is_full = sized(dataset, index, level)
        except (SpaceEditingError, MemoryError) as error:
            return _Read(level, True, _UNREAD, look, None, str(error))
    return _Read(level, is_full, values, look, look.render(values))
