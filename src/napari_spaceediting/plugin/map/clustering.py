"""Clusters that were found without labels, for as long as the latents are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_spaceediting.editing.find_clusters import NONE, FindClusters
from napari_spaceediting.plugin.state import Change, WindowState

_OTHER_LATENTS = Change.SESSION | Change.IMAGES | Change.SHOWN


class Clustering:
    """Finds clusters when they are first asked for.

    Parameters
    ----------
    window : WindowState
        What the rooms share.
    """

    def __init__(self, window: WindowState) -> None:
        self._window = window
        self._found: NDArray[np.int64] | None = None
        window.changed.connect(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change & _OTHER_LATENTS:
            self._found = None

    @property
    def clusters(self) -> NDArray[np.int64] | None:
        """(N,) cluster of every image, the largest is 0, `NONE` for none."""
        return self._found

    @property
    def columns(self) -> Mapping[str, NDArray[Any]]:
        """The column `cluster`, counted from 1, if there are any."""
        if self._found is None:
            return {}
        return {"cluster": np.ma.masked_equal(self._found, NONE) + 1}

    def find(self, then: Callable[[NDArray[np.int64]], None]) -> None:
        """Call something with the clusters, at once or when they have been found."""
        window, session = self._window, self._window.session
        if session is None or session.shown.network is None:
            return
        if self._found is not None:
            then(self._found)
            return
        shown = session.state.shown
        rows = np.flatnonzero(~session.edits.rejected)
        latents = session.shown.network.predictions.latents
        job = FindClusters(latents, rows, session.state.seed)

        def take(found: NDArray[np.int64]) -> None:
            if window.session is session and session.state.shown is shown:
                self._found = found
                then(found)

        window.reading.run(job, take)
