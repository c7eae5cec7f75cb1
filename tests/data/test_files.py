"""Files of one image each: pixels, and what is known before they are decoded."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import ExifTags, Image

from napari_spaceediting.data.files import read_header, read_image
from napari_spaceediting.errors import DataError

COLOUR = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
KINDS = [
    ("colour.jpg", "RGB", {}),
    ("grey.jpg", "L", {}),
    ("print.jpg", "CMYK", {}),
    ("restarts.jpg", "RGB", {"restart_marker_blocks": 2}),
    ("progressive.jpg", "RGB", {"progressive": True}),
    ("colour.png", "RGB", {}),
    ("palette.png", "P", {}),
    ("transparent.png", "RGBA", {}),
    ("transparent-grey.png", "LA", {}),
    ("bits.png", "1", {}),
    ("palette.gif", "P", {}),
    ("colour.webp", "RGB", {}),
    ("colour.bmp", "RGB", {}),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[0])
def photo(request, tmp_path):
    """The path of an image of some kind, and its image in the right way up."""
    name, mode, options = request.param
    image = Image.fromarray(COLOUR).convert(mode)
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_a_header_tells_what_will_be_read(photo):
    header, image = read_header(photo), read_image(photo)
    if photo.suffix in {".jpg", ".png"} and photo.stem != "progressive":
        assert header == (image.shape, image.dtype)
    else:
        assert header is None
    assert image.shape[:2] == (20, 30)


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_as_they_say(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(COLOUR).save(tmp_path / name, exif=exif)
    Image.fromarray(COLOUR).save(tmp_path / f"plain-{name}")
    plain = read_image(tmp_path / f"plain-{name}")
    turned = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.swapaxes(0, 1),
        6: np.rot90(plain, -1),
        7: plain[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(plain),
    }
    image = read_image(tmp_path / name)
    assert_array_equal(image, turned[orientation])
    assert read_header(tmp_path / name) == (image.shape, image.dtype)


@pytest.mark.parametrize(
    ("array", "options", "told"),
    [
        (COLOUR, {}, True),
        (COLOUR, {"byteorder": ">"}, True),
        (COLOUR[..., 0].astype(np.uint16), {}, True),
        (COLOUR.astype(np.float32), {"photometric": "rgb"}, True),
        (COLOUR[..., :2].transpose(2, 0, 1), {}, True),
        (COLOUR, {"compression": "zlib"}, False),
    ],
)
def test_a_tiff_tells_its_shape_unless_it_is_compressed(tmp_path, array, options, told):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, **options)
    header, image = read_header(path), read_image(path)
    assert header == ((image.shape, image.dtype) if told else None)


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with some of its bytes exchanged, or without its end."""
    if rng.random() < 0.3:
        return data[: int(rng.integers(len(data) // 2, len(data)))]
    changed = np.frombuffer(data, np.uint8).copy()
    where = rng.integers(len(data) // 4, len(data), rng.integers(1, 30))
    changed[where] = rng.integers(0, 256, len(where))
    return changed.tobytes()


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_no_file_that_cannot_be_read_is_trusted_by_its_header(tmp_path, kind):
    rng = np.random.default_rng(0)
    blurred = Image.fromarray(COLOUR).resize((90, 60))
    whole = io.BytesIO()
    blurred.save(whole, kind)
    path = tmp_path / f"a.{kind}"
    unreadable = 0
    for _ in range(150):
        path.write_bytes(damaged(whole.getvalue(), rng))
        try:
            image = read_image(path)
        except DataError:
            unreadable += 1
            image = None
        try:
            header = read_header(path)
        except DataError:
            header = None
        if header is not None:
            assert image is not None
            assert header == (image.shape, image.dtype)
    assert unreadable > 5


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tif")
    for read in (read_header, read_image):
        with pytest.raises(DataError, match="is no file"):
            read(tmp_path / "a.tif")
