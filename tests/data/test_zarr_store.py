"""Zarr stores in which something is that is no file, or is not what was written."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from numcodecs import pickles
from numpy.testing import assert_array_equal

from napari_spaceediting.data.open import OpenDataset
from napari_spaceediting.data.pixels import StoredPixels
from napari_spaceediting.errors import DataError
from napari_spaceediting.jobs.job import run_job

IMAGES = np.random.default_rng(0).integers(0, 255, (6, 8, 8), np.uint8)


def make(path: Path, version: int) -> Path:
    group = zarr.create_group(path, zarr_format=version)
    group.create_array("images", data=IMAGES, chunks=(2, 8, 8))
    group.create_array("labels", data=np.arange(6) % 2)
    return path


def a_socket(path: Path) -> None:
    # Its name may not be long, but it may be moved.
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
    Path("s").rename(path)


def a_linked_pipe(path: Path) -> None:
    os.mkfifo("pipe")
    path.symlink_to(Path("pipe").absolute())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes")
@pytest.mark.parametrize("put", [os.mkfifo, a_linked_pipe, a_socket, Path.mkdir])
@pytest.mark.parametrize("version", [2, 3])
def test_what_is_no_file_is_told_and_not_waited_for(
    tmp_path, monkeypatch, version, put: Callable[[Path], object]
):
    monkeypatch.chdir(tmp_path)
    whole = make(tmp_path / "whole", version)
    files = [path.relative_to(whole) for path in whole.rglob("*") if path.is_file()]
    assert len(files) > 5
    for number, name in enumerate(files):
        place = shutil.copytree(whole, tmp_path / str(number))
        (place / name).unlink()
        put(place / name)
        with pytest.raises(DataError, match=f"array .*{name} is no file: leave it out"):
            run_job(OpenDataset(place)).raw_images()
        Path("pipe").unlink(missing_ok=True)


@pytest.mark.parametrize("codec", ["zlib", "gzip", "lzma", "bz2", "blosc", "zstd"])
def test_a_damaged_piece_is_told_with_its_image(tmp_path, codec):
    make(tmp_path, 2)
    head = tmp_path / "images" / ".zarray"
    head.write_text(json.dumps(json.loads(head.read_text()) | {"compressor": None}))
    group = zarr.open_group(tmp_path, mode="r+")
    group["images"][:] = IMAGES
    values = json.loads(head.read_text()) | {"compressor": {"id": codec}}
    head.write_text(json.dumps(values))
    source = StoredPixels(tmp_path, "images", "NYX", 6, 1)
    for image in range(6):
        with pytest.raises(DataError, match=f"Image {image} of .* cannot be read"):
            source.read(image)


def test_an_error_that_no_codec_makes_is_not_hidden(tmp_path):
    class Broken:
        def __getitem__(self, index: int) -> None:
            raise KeyboardInterrupt if index else StopAsyncIteration

    source = StoredPixels(tmp_path, None, "NYX", 2, 1)
    vars(source)["_array"] = Broken()
    with pytest.raises(StopAsyncIteration):
        source.read(0)


def test_a_pickled_array_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    make(tmp_path, 2)
    labels = tmp_path / "labels"
    head = json.loads((labels / ".zarray").read_text())
    # The first of them hides the second from zarr.
    filters = [{"id": "vlen-utf8"}, {"id": "pickle"}]
    head |= {"dtype": "|O", "filters": filters, "compressor": None, "fill_value": ""}
    (labels / ".zarray").write_text(json.dumps(head))
    (labels / "0").write_bytes(pickle.dumps(Trap()))
    monkeypatch.delenv("SPACEEDITING_TRAP", raising=False)
    with pytest.raises(DataError, match="is pickled"):
        run_job(OpenDataset(tmp_path))
    assert "SPACEEDITING_TRAP" not in os.environ


class Trap:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.putenv, ("SPACEEDITING_TRAP", "sprung")


def test_a_store_is_read_as_before(tmp_path):
    for version in (2, 3):
        dataset = run_job(OpenDataset(make(tmp_path / str(version), version)))
        assert_array_equal(dataset.original(3), IMAGES[3])
        assert dataset.n_classes == 2
