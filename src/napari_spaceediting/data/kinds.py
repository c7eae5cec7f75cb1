"""What kind of file an image is: by what stands in it, never by its name."""

from __future__ import annotations

from typing import Literal, NamedTuple

HEAD_BYTES = 132
"""How much of a file tells its kind."""

Reader = Literal["pillow", "tifffile", "imagecodecs", "pi_heif", "bioio"]


class Kind(NamedTuple):
    """A kind of file.

    Parameters
    ----------
    name : str
        With its article, as part of a sentence.
    reader : {"pillow", "tifffile", "imagecodecs", "pi_heif", "bioio"} or None
        The library that reads it, None where we have none.
    advice : str
        What to do where it is not read.
    """

    name: str
    reader: Reader | None = None
    advice: str = "save it as PNG or TIFF"


_FRAMES = "save its frames as images"
_NOT_FETCHED = "fetch the file itself"
_HEIC = Kind("a HEIC", "pi_heif")

_PICTURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", Kind("a PNG", "pillow")),
    (0, b"\xff\xd8\xff", Kind("a JPEG", "pillow")),
    (0, b"II*\0", Kind("a TIFF", "tifffile")),
    (0, b"MM\0*", Kind("a TIFF", "tifffile")),
    (0, b"II+\0", Kind("a TIFF", "tifffile")),
    (0, b"MM\0+", Kind("a TIFF", "tifffile")),
    (0, b"GIF8", Kind("a GIF", "pillow")),
    (0, b"BM", Kind("a BMP", "pillow")),
    (8, b"WEBP", Kind("a WebP", "pillow")),
    (4, b"ftypavi", Kind("an AVIF", "pillow")),
    (4, b"jP  \r\n\x87\n", Kind("a JPEG 2000", "pillow")),
    (0, b"\xff\x4f\xff\x51", Kind("a JPEG 2000", "pillow")),
    (4, b"JXL \r\n\x87\n", Kind("a JPEG XL", "imagecodecs")),
    (0, b"\xff\x0a", Kind("a JPEG XL", "imagecodecs")),
    (0, b"II\xbc", Kind("a JPEG XR", "imagecodecs")),
    (0, b"qoif", Kind("a QOI", "pillow")),
    *((0, b"P%d" % n, Kind("a netpbm file", "pillow")) for n in range(1, 7)),
    (0, b"Pf\n", Kind("a netpbm file", "pillow")),
)

_OTHERS: tuple[tuple[int, bytes, Kind], ...] = (
    *((4, b"ftyp" + brand, _HEIC) for brand in (b"hei", b"hev", b"mif1", b"msf1")),
    (4, b"ftyp", Kind("a video", advice=_FRAMES)),
    (8, b"AVI ", Kind("a video", advice=_FRAMES)),
    (0, b"\x1a\x45\xdf\xa3", Kind("a video", advice=_FRAMES)),
    (0, b"ZISRAWFILE", Kind("a CZI", "bioio")),
    (0, b"\xda\xce\xbe\x0a", Kind("an ND2", "bioio")),
    (0, b"\x70\0\0\0", Kind("a LIF", "bioio")),
    (0, b"\xd0\xcf\x11\xe0", Kind("an OIB or an old document of Office")),
    (128, b"DICM", Kind("a DICOM file")),
    (0, b"SIMPLE  =", Kind("a FITS file")),
    (0, b"\x89HDF", Kind("an HDF5 file", advice="save its images as .npz")),
    (0, b"\x93NUMPY", Kind("an array", advice="open it by itself")),
    (0, b"8BPS", Kind("a Photoshop file")),
    (0, b"v/1\x01", Kind("an OpenEXR file", advice="save it as TIFF")),
    (0, b"#?RADIANCE", Kind("a Radiance file", advice="save it as TIFF")),
    (0, b"FOVb", Kind("a raw file of a camera")),
    (0, b"FUJIFILMCCD-RAW", Kind("a raw file of a camera")),
    (0, b"%PDF", Kind("a PDF", advice="save its pages as images")),
    (0, b"%!PS", Kind("a PostScript file", advice="save its pages as images")),
    (0, b"PK\x03\x04", Kind("a ZIP archive", advice="unpack it")),
    (0, b"\x1f\x8b", Kind("a gzip archive", advice="unpack it")),
    (0, b"version https://git-lfs", Kind("a pointer of Git LFS", advice=_NOT_FETCHED)),
)

_MARKS = (*_PICTURES, *_OTHERS)
"""Where something stands in a file of a kind, the first that fits counts."""

_WEB_PAGE = Kind("a web page", advice="fetch the image itself")
_SVG = Kind("an SVG drawing")
_TEXT = Kind("text", advice="leave it out")

_RAW = Kind("a raw file of a camera")
_VIDEO = Kind("a video", advice=_FRAMES)

_READ = (
    ".png .apng .jpg .jpeg .jpe .jfif .jif .mpo .bmp .dib .gif .webp .tif .tiff .btf "
    ".tf2 .tf8 .lsm .stk .avif .jp2 .j2k .j2c .jpx .jpf .jxl .jxr .wdp .hdp .jls .qoi "
    ".svs .ndpi .scn .pnm .ppm .pgm .pbm .pfm .tga .zarr"
)
_RAWS = ".nef .cr2 .cr3 .arw .dng .orf .rw2 .raf .pef .srw .raw .x3f"
_VIDEOS = ".avi .mp4 .mov .mkv .webm .wmv .mpg .mpeg"

READ_SUFFIXES = frozenset(_READ.split())
"""Names of files that we read end so, but what they are is told by their content."""

NOT_READ: dict[str, Kind] = {
    **dict.fromkeys((".heic", ".heif", ".hif"), _HEIC),
    ".czi": Kind("a CZI", "bioio"),
    ".nd2": Kind("an ND2", "bioio"),
    ".lif": Kind("a LIF", "bioio"),
    ".oib": Kind("an OIB"),
    ".oif": Kind("an OIF"),
    ".oir": Kind("an OIR"),
    ".vsi": Kind("a VSI"),
    ".dv": Kind("a DeltaVision file", advice="save it as TIFF"),
    ".ims": Kind("an Imaris file"),
    ".mrc": Kind("an MRC file", advice="save it as TIFF"),
    ".dcm": Kind("a DICOM file"),
    ".dicom": Kind("a DICOM file"),
    ".nii": Kind("a NIfTI file", advice="save its planes as TIFF"),
    ".fits": Kind("a FITS file", advice="save it as TIFF"),
    ".exr": Kind("an OpenEXR file", advice="save it as TIFF"),
    ".hdr": Kind("a Radiance file", advice="save it as TIFF"),
    ".psd": Kind("a Photoshop file"),
    ".eps": Kind("a PostScript file", advice="save its pages as images"),
    ".pcx": Kind("a PCX file"),
    ".nrrd": Kind("an NRRD file", advice="save its planes as TIFF"),
    ".ics": Kind("an ICS file", advice="save it as TIFF"),
    **dict.fromkeys(
        (".mrxs", ".bif", ".vms"), Kind("a slide", advice="save parts of it as PNG")
    ),
    ".svg": _SVG,
    ".ico": Kind("an icon"),
    **dict.fromkeys(_RAWS.split(), _RAW),
    **dict.fromkeys(_VIDEOS.split(), _VIDEO),
}
"""Names of images that no library of ours reads, told in what was left out."""


def kind_of(head: bytes, suffix: str = "") -> Kind | None:
    """Tell the kind of a file.

    Parameters
    ----------
    head : bytes
        Its first `HEAD_BYTES`.
    suffix : str
        The end of its name in small letters, which counts only where the content says
        nothing.

    Returns
    -------
    Kind or None
        None where neither says anything.
    """
    for at, mark, kind in _MARKS:
        if head.startswith(mark, at):
            is_canon = kind.reader == "tifffile" and head.startswith(b"CR", 8)
            return _RAW if is_canon else kind
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        return _WEB_PAGE
    if start.startswith((b"<svg", b"<?xml")):
        return _SVG if b"<svg" in start or suffix == ".svg" else _TEXT
    if suffix in NOT_READ:
        return NOT_READ[suffix]
    is_text = head and all(byte >= 32 or byte in b"\t\r\n" for byte in head)
    return _TEXT if is_text else None
