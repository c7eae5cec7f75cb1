"""Read one image file, or its header alone."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from napari_spaceediting.data.kinds import (
    HEAD_BYTES,
    NOT_READ,
    READ_SUFFIXES,
    Kind,
    kind_of,
)
from napari_spaceediting.data.meaning import ENDS_EARLY, Header, Unfit
from napari_spaceediting.data.reading import reading
from napari_spaceediting.data.stores import STORE, is_zarr, read_store

IMAGE_SUFFIXES = READ_SUFFIXES | NOT_READ.keys()
"""What the names of images end in; some are only told as left out."""


def is_image_file(path: Path) -> bool:
    """Tell whether the file's suffix is that of an image, of a kind we read or not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_image(path: Path) -> NDArray[Any]:
    """Read one image, by what its content says that it is.

    Returns
    -------
    (H, W) or (H, W, C) array of the file's own dtype
        Intensities, whatever numbers the file has for them. Transparent images are
        laid over black; images are turned as their files say; of an animation the
        first frame is taken.

    Raises
    ------
    DataError
        The file is missing, cannot be read, or holds no single image.
    """
    suffix = path.suffix.lower()
    if suffix == STORE and is_zarr(path):
        with reading("image", path):
            return read_store(path)
    with reading("image", path), path.open("rb") as file:
        return decoded(file, suffix)


def decoded(file: IO[bytes], suffix: str = "") -> NDArray[Any]:
    """Read one image from an open file, wherever it lies.

    Parameters
    ----------
    file : binary file
        At its beginning.
    suffix : str
        As for `kind_of`.

    Returns
    -------
    array
        As from `read_image`.

    Raises
    ------
    Unfit
        It holds no single image that we read. Damaged files raise anything.
    """
    kind, head = _kind(file, suffix)
    if kind is None or kind.reader == "pillow":
        return _photo(file, head)
    if kind.reader == "tifffile":
        from napari_spaceediting.data.tiffs import read_tiff

        return read_tiff(file)
    if kind.reader == "imagecodecs":
        from napari_spaceediting.data.photos import read_codec

        return read_codec(file.read())
    if kind.reader == "pi_heif":
        from napari_spaceediting.data.photos import read_heic

        return read_heic(file)
    if kind.reader == "bioio":
        from napari_spaceediting.data.microscopes import read_microscope

        return read_microscope(Path(getattr(file, "name", "")), kind.name)
    raise Unfit(f"is {kind.name}, which is not read: {kind.advice}")


def read_header(path: Path) -> Header | None:
    """Tell what `read_image` would give, without decoding it.

    Returns
    -------
    Header or None
        None where only decoding tells whether the file is whole, or what it holds.

    Raises
    ------
    DataError
        As for `read_image`.
    """
    suffix = path.suffix.lower()
    if suffix == STORE and is_zarr(path):
        return None
    with reading("image", path), path.open("rb") as file:
        kind, _ = _kind(file, suffix)
        if kind is not None and kind.reader == "tifffile":
            from napari_spaceediting.data.tiffs import header_of_tiff

            return header_of_tiff(file)
        if kind is not None and kind.name in ("a PNG", "a JPEG"):
            from PIL import UnidentifiedImageError

            from napari_spaceediting.data.photos import header_of_photo

            try:
                return header_of_photo(file)
            except UnidentifiedImageError:
                return None
    return None


def _kind(file: IO[bytes], suffix: str) -> tuple[Kind | None, bytes]:
    """Tell the kind of an open file, and leave it at its beginning."""
    head = file.read(HEAD_BYTES)
    if not head:
        raise Unfit("is empty: fetch it again, or leave it out")
    file.seek(0)
    return kind_of(head, suffix), head


def _photo(file: IO[bytes], head: bytes) -> NDArray[Any]:
    """Read what Pillow does, or say in words why it does not."""
    from PIL import UnidentifiedImageError

    from napari_spaceediting.data.photos import read_photo, read_rare_jpeg

    try:
        return read_photo(file)
    except UnidentifiedImageError as error:
        if head.startswith(b"\xff\xd8\xff"):
            file.seek(0)
            image = read_rare_jpeg(file.read())
            if image is not None:
                return image
        raise Unfit(
            "cannot be read, because it is damaged or of an unknown kind: save it anew "
            "as PNG or TIFF"
        ) from error
    except OSError as error:
        if "truncated" in str(error):
            raise Unfit(ENDS_EARLY) from error
        raise
