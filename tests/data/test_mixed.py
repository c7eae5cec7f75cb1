"""Opening images that do not belong together, or hardly show anything."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.words import in_words, left_out, note_of
from napari_spaceediting.jobs.job import run_job
from napari_spaceediting.session.session import new_session
from napari_spaceediting.session.storage import load_session, save_session

RNG = np.random.default_rng(0)


def image(dtype=np.uint8, top=200, channels=()):
    """Return noise up to some number."""
    return (RNG.uniform(0, top, (30, 30, *channels))).astype(dtype)


def write(folder, images):
    """Write two classes of images, as PNG where they are of 8 bits."""
    for k, pixels in enumerate(images):
        place = folder / "ab"[k % 2] / f"{k:03d}"
        place.parent.mkdir(parents=True, exist_ok=True)
        if pixels.dtype == np.uint8:
            Image.fromarray(pixels).save(place.with_suffix(".png"))
        else:
            tifffile.imwrite(place.with_suffix(".tif"), pixels)
    return folder


def opened(folder, like=None):
    return run_job(OpenDataset(folder, like=like))


def test_types_that_are_mixed_are_each_stretched_by_themselves(tmp_path):
    images = [image(), image(np.uint16, 4000), image(np.float32, 1)] * 8
    dataset = opened(write(tmp_path / "data", images))
    assert len(dataset) == 24
    assert "8 bits (8 images)" in dataset.notes[0]
    means = dataset.images(range(24)).mean(axis=(1, 2, 3))
    assert means.min() > 0.3
    assert means.max() < 0.7

    save_session(new_session(dataset).state, tmp_path / "s.spaceediting")
    again = load_session(tmp_path / "s.spaceediting").dataset
    assert again.scaling == dataset.scaling
    assert (again.images(range(24)) == dataset.images(range(24))).all()
    assert again.content_key() == dataset.content_key()


@pytest.mark.parametrize(("dtype", "top"), [(np.uint16, 60_000), (np.float32, 1)])
def test_one_image_of_another_type_is_left_out_and_listed(tmp_path, dtype, top):
    images = [image() for _ in range(20)]
    images[5] = image(dtype, top)
    dataset = opened(write(tmp_path / "data", images))
    assert [entry.name for entry in dataset.skipped] == ["b/005.tif"]
    assert "where the others have 8 bits" in dataset.skipped[0].reason
    assert dataset.scaling == IntensityScaling()


def test_images_that_join_have_a_type_that_is_known(tmp_path):
    first = opened(write(tmp_path / "first", [image(np.uint16, 900)] * 12))
    more = write(tmp_path / "more", [image(np.uint16, 800)] * 3 + [image()] * 3)
    joined = opened(more, like=first)
    assert len(joined) == 3
    assert len(joined.skipped) == 3
    assert "has 8 bits where the others have uint16" in joined.skipped[0].reason


@pytest.mark.parametrize("top", [1, 2, 20])
def test_dark_images_of_8_bits_are_stretched(tmp_path, top):
    images = [image(top=top + 1) for _ in range(10)]
    dataset = opened(write(tmp_path / "data", images))
    assert dataset.scaling.mode == "percentile"
    assert dataset.images(range(10)).max() == 1


def test_images_drawn_in_black_on_nothing_are_told(tmp_path):
    drawn = np.zeros((30, 30, 4), np.uint8)
    drawn[5:9, :, 3] = 255
    dataset = opened(write(tmp_path / "data", [drawn] * 10))
    assert any("lay it over white" in note for note in dataset.notes)


def test_an_image_far_brighter_than_all_others_is_told(tmp_path):
    images = [image(np.uint16, 900) for _ in range(40)]
    images[4][:] = 65_000
    dataset = opened(write(tmp_path / "data", images))
    if not dataset.held_out[dataset.ids.tolist().index("a/004.tif")]:
        assert any("a/004.tif" in note for note in dataset.notes)
    assert 0.3 < dataset.images([0]).mean() < 0.7


def test_rgba_lies_beside_rgb(tmp_path):
    images = [image(channels=(3,)), image(channels=(4,)), image()] * 5
    dataset = opened(write(tmp_path / "data", images))
    assert len(dataset) == 15
    assert dataset.n_channels == 3
    assert not dataset.skipped


def test_kinds_that_are_not_read_are_told_by_kind_and_number(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    folder = write(tmp_path / "data", [image() for _ in range(10)])
    for k in range(4):
        (folder / "a" / f"{k}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))
    for k in range(2):
        (folder / "b" / f"{k}.czi").write_bytes(b"ZISRAWFILE" + bytes(50))
    # What it is counts, not its name.
    (folder / "a" / "000.png").rename(folder / "a" / "photo.HEIC")
    Image.fromarray(image()).save(folder / "b" / "web.jfif", format="JPEG")
    Image.fromarray(image(channels=(3,))).save(folder / "b" / "web.avif")
    dataset = opened(folder)
    assert len(dataset) == 12
    assert note_of(dataset).endswith(
        "Left out 6, such as a/0.heic (is a HEIC, which is not read)."
    )
    told = left_out(dataset)
    assert told[0].startswith("Left out 4, such as a/0.heic: is a HEIC, which is not")
    assert told[1].startswith("Left out 2, such as b/0.czi: is a CZI, ")
    assert str(tmp_path) not in in_words(dataset)
