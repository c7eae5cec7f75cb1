"""Files of microscopes, which the extra `bio` reads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_spaceediting.data.files import read_header, read_image
from napari_spaceediting.errors import DataError

pytest.importorskip("bioio_czi")
czi = pytest.importorskip("pylibCZIrw.czi")


def write(path, planes):
    """Write arrays by their plane, such as (("C", 1),)."""
    with czi.create_czi(str(path)) as document:
        for plane, array in planes.items():
            document.write(data=array[..., None], plane=dict(plane))
    return path


def test_channels_of_a_czi_are_read(tmp_path):
    array = np.random.default_rng(0).integers(0, 4000, (3, 40, 50), dtype=np.uint16)
    path = write(tmp_path / "a.czi", {(("C", c),): array[c] for c in range(3)})
    assert_array_equal(read_image(path), np.moveaxis(array, 0, -1))
    assert read_header(path) is None


def test_a_czi_of_several_planes_is_refused(tmp_path):
    plane = np.zeros((40, 50), np.uint8)
    path = write(tmp_path / "a.czi", {(("Z", z),): plane for z in range(4)})
    with pytest.raises(DataError, match=r"is a stack of planes .*Z 4"):
        read_image(path)
