"""Looking closely at images, between those of the classes that they may be of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.examples import examples, in_question
from napari_spaceediting.plugin.gallery.captions import describer, guesses
from napari_spaceediting.plugin.gallery.compare import Beside
from napari_spaceediting.plugin.gallery.panel import ImageGallery
from napari_spaceediting.plugin.state import NOTHING, WindowState
from napari_spaceediting.session.state import Map

_EXAMPLES = 8
_NEAREST = 15


class Looking:
    """Decides what stands beside the images that are looked at closely.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    gallery : ImageGallery
        The view.
    """

    def __init__(self, window: WindowState, gallery: ImageGallery) -> None:
        self._window = window
        self._gallery = gallery
        self._tag = ""
        self.images = NOTHING
        """What is looked at; nothing while all images of a source are."""

    @property
    def at_hand(self) -> int:
        """The one image that is looked at, or that the keyboard is on; -1 for none."""
        if len(self.images):
            return int(self.images[0]) if len(self.images) == 1 else -1
        return self._gallery.grid.current

    def show(self, images: NDArray[np.int64], tag: str = "") -> None:
        """Look closely at images that may be of a class; "" for none in particular."""
        self.images, self._tag = images, tag
        self.refresh()
        self._gallery.set_close(bool(len(images)))

    def close(self) -> None:
        """Show all images of the source again."""
        self.images = NOTHING
        self._gallery.set_close(False)

    def next_to(self, step: int) -> int:
        """Return the image of the source that is so many steps on."""
        items, images = self._gallery.grid.items, self.images
        found = np.flatnonzero(np.isin(items, images))
        if not len(items):
            return int(images[0])
        if len(images) > 1 or not len(found):
            return int(items[0 if step > 0 else -1])
        return int(items[np.clip(found[0] + step, 0, len(items) - 1)])

    def refresh(self) -> None:
        """Show what is looked at as it is now."""
        window, at = self._window, self.images
        session = window.session
        if session is None or not len(at) or window.shown.network is None:
            return
        shown, edits = window.shown, window.edits
        names, predictions = edits.class_names, shown.network.predictions
        proposed = names.index(self._tag) if self._tag in names else -1
        kinds = np.unique(edits.labels[at])
        said = guesses(shown)[at]
        own = edits.labels[at]
        if said.shape[1]:
            own = np.where(own < 0, said.argmax(axis=1), own)

        def of_class(kind: int) -> Beside:
            if kind < 0:
                return Beside("", NOTHING)
            found = examples(kind, at, edits.labels, predictions, _EXAMPLES)
            return Beside(names[kind], found)

        first, second = map(of_class, in_question(own, said, proposed))
        near = nearest(shown.map, at) if len(at) == 1 else NOTHING
        title = f"{len(at)} images" if len(at) > 1 else str(session.dataset.ids[at[0]])
        if proposed >= 0 and kinds.tolist() != [proposed]:
            title = f"{names[proposed]}? · {title}"
        if len(at) == 1 and (why_not := window.pictures.why_not(int(at[0]))):
            title = why_not
        self._gallery.compare.show_question(
            Beside(title, at),
            first,
            second,
            Beside("Most similar", near[:_NEAREST]),
            describer(window),
        )
        self._gallery.show_place(self._place())

    def _place(self) -> str:
        """Say which image of the source it is."""
        items = self._gallery.grid.items
        found = np.flatnonzero(items == self.at_hand)
        return f"{found[0] + 1:,} of {len(items):,}" if len(found) else ""


def nearest(drawn: Map | None, images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the images nearest to some others in latent space, in turn."""
    if drawn is None or not len(images) or not drawn.neighbours.shape[1]:
        return NOTHING
    around = drawn.neighbours[images].T.ravel()
    _, first = np.unique(around, return_index=True)
    ordered = around[np.sort(first)].astype(np.int64)
    return ordered[~np.isin(ordered, images)]
