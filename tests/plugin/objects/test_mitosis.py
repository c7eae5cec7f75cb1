"""The sample of nuclei opens as layers, whose objects can be opened."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.plugin import mitosis


def test_it_opens_as_a_picture_and_its_segmentation(window, monkeypatch):
    nuclei = np.zeros((32, 32), np.int32)
    nuclei[4:12, 4:12] = 1
    found = np.zeros((32, 32), np.uint8), nuclei
    monkeypatch.setattr(mitosis, "human_mitosis", lambda: found)
    window.viewer.open_sample("napari-spaceediting", "mitosis")
    window.wait(lambda: "Nuclei" in window.viewer.layers)
    assert window.viewer.layers["Cells"].data is found[0]
    np.testing.assert_array_equal(window.viewer.layers["Nuclei"].data, nuclei)
