import numpy as np
import pytest
import tifffile

from napari_spaceediting.data.dataset import ImageDataset
from napari_spaceediting.data.intensity import IntensityScaling
from napari_spaceediting.data.pixels import ArrayPixels
from napari_spaceediting.traversal.full_size import full_size, write_full_size

PERCENTILES = IntensityScaling("percentile", (100.0,), (1100.0,))


def made(pixels, scaling=None, side=8):
    return ImageDataset(
        name="One",
        ids=np.array(["one"]),
        labels=np.array([0]),
        class_names=("a",),
        split=np.zeros(1, np.int8),
        pixels=ArrayPixels(pixels[None]),
        scaling=scaling or IntensityScaling("dtype"),
        image_size=(side, side),
    )


def noise(shape, dtype, high):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


@pytest.mark.parametrize(
    ("pixels", "scaling"),
    [
        (noise((20, 30), np.uint8, 256), None),
        (noise((30, 20, 3), np.uint16, 65536), None),
        (noise((16, 16, 5), np.uint16, 1200), PERCENTILES),
        (noise((9, 40), np.float32, 1200), PERCENTILES),
        (noise((9, 40), bool, 2), None),
    ],
)
def test_where_nothing_changes_the_original_stays_to_the_last_bit(pixels, scaling):
    dataset = made(pixels, scaling)
    nothing = np.zeros((1, dataset.n_channels, 8, 8), np.float32)
    (same,) = full_size(dataset, 0, nothing)
    assert same.dtype == pixels.dtype
    np.testing.assert_array_equal(same, pixels)


@pytest.mark.parametrize(
    ("dtype", "scaling", "step"),
    [
        (np.uint8, None, 0.1 * 255),
        (np.uint16, None, 0.1 * 65535),
        (np.uint16, PERCENTILES, 100),
        (np.float32, PERCENTILES, 100),
        (np.float32, None, 0.1),
    ],
)
def test_a_change_is_in_units_of_the_original(dtype, scaling, step):
    pixels = np.full((16, 16), 10, dtype)
    dataset = made(pixels, scaling)
    (lighter,) = full_size(dataset, 0, np.full((1, 1, 8, 8), 0.1, np.float32))
    within = 0.5 if np.issubdtype(dtype, np.integer) else 1e-4
    np.testing.assert_allclose(lighter, 10 + step, atol=within)


def test_what_the_network_is_shown_of_it_is_the_step():
    """Also where the image is not square, and lies padded in the network's square."""
    pixels = np.full((24, 48, 3), 90, np.uint8)
    dataset = made(pixels, side=16)
    small = dataset.images([0])
    change = np.zeros((1, 3, 16, 16), np.float32)
    change[0, 0, 6:10, 2:9] = 0.4
    (page,) = full_size(dataset, 0, change)
    again = made(page, side=16).images([0])
    inside = np.s_[:, :, 4:12]
    assert np.corrcoef((again - small)[inside].ravel(), change[inside].ravel())[
        0, 1
    ] == pytest.approx(1, abs=0.1)
    assert (page[:, 36:] == 90).all()


def test_intensities_end_at_those_of_their_type():
    dataset = made(np.full((8, 8), 250, np.uint8))
    (light,) = full_size(dataset, 0, np.full((1, 1, 8, 8), 0.5, np.float32))
    (dark,) = full_size(dataset, 0, np.full((1, 1, 8, 8), -2, np.float32))
    assert (light == 255).all()
    assert (dark == 0).all()


@pytest.mark.parametrize("shape", [(12, 18), (12, 18, 2), (12, 18, 3), (12, 18, 5)])
def test_pages_of_a_file_are_the_original_and_its_steps(shape, tmp_path):
    pixels = noise(shape, np.uint16, 60000)
    dataset = made(pixels)
    steps = np.repeat(dataset.images([0]), 3, axis=0)
    steps[2] += 0.05
    write_full_size(dataset, 0, steps, tmp_path / "one.tif")
    with tifffile.TiffFile(tmp_path / "one.tif") as file:
        pages = [page.asarray() for page in file.pages]
    assert len(pages) == 3
    np.testing.assert_array_equal(pages[0], pixels)
    np.testing.assert_array_equal(pages[1], pixels)
    assert (pages[2].astype(int) - pixels).min() == round(0.05 * 65535)
