"""The sample of nuclei opens as layers, whose objects can be opened."""

from __future__ import annotations

import numpy as np

from napari_spaceediting.plugin.objects import mitosis
from napari_spaceediting.plugin.reader import get_reader


def test_it_opens_as_a_picture_and_its_segmentation(window, monkeypatch):
    nuclei = np.zeros((32, 32), np.int32)
    nuclei[4:12, 4:12] = 1
    found = np.zeros((32, 32), np.uint8), nuclei
    monkeypatch.setattr(mitosis, "human_mitosis", lambda: found)
    sample = "sample://napari-spaceediting/mitosis.spaceediting-sample"
    read = get_reader(sample)
    assert read is not None
    assert read(sample) == [(None,)]
    window.wait(lambda: "Nuclei" in window.viewer.layers)
    assert window.viewer.layers["Cells"].data is found[0]
    np.testing.assert_array_equal(window.viewer.layers["Nuclei"].data, nuclei)
