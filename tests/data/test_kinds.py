"""The table of kinds: what comes out of each kind of image file, or why nothing does.

Each file is made by a library other than the one that reads it, or byte for byte as its
standard has it.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import imagecodecs
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import ExifTags, Image, ImageCms

from napari_spaceediting.data.files import read_header, read_image
from napari_spaceediting.errors import DataError

RNG = np.random.default_rng(0)
SMOOTH = np.asarray(
    Image.fromarray(RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)).resize((24, 16))
)
GREY = np.ascontiguousarray(SMOOTH[..., 1])
ALPHA = np.ascontiguousarray(SMOOTH[..., 2])
BITS = GREY > 120
RGBA = np.dstack([SMOOTH, ALPHA])
LA = np.dstack([GREY, ALPHA])
DEEP = SMOOTH.astype(np.uint16) * 251 + 7
DEEP_ALPHA = ALPHA.astype(np.uint16) * 257
FLOAT = (GREY / 7 - 3).astype(np.float32)
PALETTE = RNG.integers(0, 256, (256, 3))
PALETTE_8 = PALETTE.astype(np.uint8)

Case = tuple[Callable[[], bytes], np.ndarray, float]
"""How to make the file, what must come out, and how far off it may be."""


def pillow(image, kind: str, mode: str | None = None, **options) -> bytes:
    """Return a file that Pillow writes."""
    made = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    made = made if mode is None else made.convert(mode)
    file = io.BytesIO()
    made.save(file, kind, **options)
    return file.getvalue()


# -- Files, byte for byte --------------------------------------------------------------


def packed(rows: np.ndarray, bits: int) -> bytes:
    """Return rows of numbers of some bits, each row filled to a byte."""
    each = (rows[..., None].astype(np.int64) >> np.arange(bits)[::-1]) & 1
    return np.packbits(each.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png(image: np.ndarray, colour: int, bits: int = 8, **chunks: bytes) -> bytes:
    """Return a PNG; further chunks stand before its pixels."""
    height, width = image.shape[:2]
    rows = image.reshape(height, -1)
    deep = [row.astype(">u2" if bits == 16 else "u1").tobytes() for row in rows]
    lines = deep if bits >= 8 else [packed(row[None], bits) for row in rows]
    parts = {
        "IHDR": struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0),
        **chunks,
        "IDAT": zlib.compress(b"".join(b"\0" + line for line in lines)),
        "IEND": b"",
    }
    out = b"\x89PNG\r\n\x1a\n"
    for name, data in parts.items():
        body = name.encode() + data
        out += struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    return out


def page(image, photometric, bits=None, order="<", zipped=False, planar=False, **tags):
    """Return tags and strips of a page; `t274=6` is the tag 274."""
    image = image if image.ndim == 3 else image[..., None]
    height, width, samples = image.shape
    bits = bits or 8 * image.dtype.itemsize
    kind = {"u": 1, "b": 1, "i": 2, "f": 3}[image.dtype.kind]
    known = {256: width, 257: height, 258: (bits,) * samples, 259: 8 if zipped else 1}
    known |= {262: photometric, 277: samples, 278: height, 284: 2 if planar else 1}
    known |= {339: (kind,) * samples} | {int(k[1:]): v for k, v in tags.items()}
    parts = np.moveaxis(image, -1, 0) if planar else [image]
    if bits % 8:
        strips = [packed(part.reshape(height, -1), bits) for part in parts]
    else:
        stored = image.dtype.newbyteorder(order)
        strips = [part.astype(stored).tobytes() for part in parts]
    return known, [zlib.compress(strip) for strip in strips] if zipped else strips


def tiff(*pages, order: str = "<", inner=None) -> bytes:
    """Return a TIFF of pages; the last one may have another inside."""
    out = bytearray(
        (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 0)
    )

    def put(data: bytes) -> int:
        out.extend(bytes(len(out) % 2) + data)
        return len(out) - len(data)

    def write(tags, strips) -> int:
        tags = {**tags, 273: tuple(map(put, strips)), 279: tuple(map(len, strips))}
        entries = b""
        for tag, value in sorted(tags.items()):
            values = value if isinstance(value, tuple) else (value,)
            kind, code = (4, "I") if tag in (273, 279, 330) else (3, "H")
            kind, code = (7, "B") if tag == 34675 else (kind, code)
            raw = struct.pack(f"{order}{len(values)}{code}", *values)
            raw = raw if len(raw) <= 4 else struct.pack(f"{order}I", put(raw))
            entries += struct.pack(f"{order}HHI", tag, kind, len(values))
            entries += raw.ljust(4, b"\0")
        return put(struct.pack(f"{order}H", len(tags)) + entries + bytes(4))

    link = 4
    for number, (tags, strips) in enumerate(pages):
        if inner is not None and number == len(pages) - 1:
            tags = {**tags, 330: write(*inner)}
        start = write(tags, strips)
        out[link : link + 4] = struct.pack(f"{order}I", start)
        link = len(out) - 4
    return bytes(out)


def netpbm(image: np.ndarray, top: int) -> bytes:
    """Return a binary PGM or PPM."""
    height, width = image.shape[:2]
    head = b"P%d\n%d %d\n%d\n" % (6 if image.ndim == 3 else 5, width, height, top)
    return head + image.astype(">u2" if top > 255 else "u1").tobytes()


def over_black(colour, alpha, top) -> np.ndarray:
    """Return colours as they are seen over black."""
    weight = alpha / top if colour.ndim == 2 else alpha[..., None] / top
    return np.rint(colour * weight).astype(colour.dtype)


def print_to_rgb(cmyk, top) -> np.ndarray:
    """Return what inks leave of white."""
    left = 1 - cmyk / top
    return np.rint(left[..., :3] * left[..., 3:] * top).astype(cmyk.dtype)


P3 = {"red": (0.68, 0.32), "green": (0.265, 0.69), "blue": (0.15, 0.06)}
BT709 = {"red": (0.64, 0.33), "green": (0.3, 0.6), "blue": (0.15, 0.06)}
WHITE = (0.3127, 0.329)
P3_PROFILE = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[*WHITE, 1],
    primaries=[number for x, y in P3.values() for number in (x, y, 1)],
    gamma=2.2,
)


def to_xyz(primaries) -> np.ndarray:
    """Return the matrix from linear RGB to XYZ."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries.values()]).T
    x, y = WHITE
    return columns * np.linalg.solve(columns, (x / y, 1, (1 - x - y) / y))


def encoded(linear, dtype) -> np.ndarray:
    """Return numbers of sRGB."""
    linear = np.clip(linear, 0, 1)
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    top = np.iinfo(dtype).max
    seen = np.where(linear <= 0.0031308, 12.92 * linear, curved)
    return np.rint(top * seen).astype(dtype)


def p3_to_srgb(image) -> np.ndarray:
    """Return colours of Display P3, here with a gamma of 2.2, in sRGB."""
    linear = (image / np.iinfo(image.dtype).max) ** 2.2
    matrix = np.linalg.solve(to_xyz(BT709), to_xyz(P3))
    return encoded(linear @ matrix.T, image.dtype)


D50 = np.array([0.96422, 1, 0.82521])
RGB_TO_D50 = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
"""From linear sRGB to XYZ, the light adapted by Bradford's method."""


def lab_of(image) -> np.ndarray:
    """Return L*a*b* under D50 of colours in sRGB."""
    rgb = image / np.iinfo(image.dtype).max
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ RGB_TO_D50.T / D50
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def stored_lab(image, *, is_signed: bool) -> np.ndarray:
    """Return L*a*b* as TIFF has it, of as many bits as the image."""
    lab, bits = lab_of(image), 8 * image.itemsize
    if is_signed:
        lab[..., 0] *= (2**bits - 1) / 100
        lab[..., 1:] *= 2 ** (bits - 8)
    else:
        lab[..., 0] *= 2.55 * 2 ** (bits - 8)
        lab[..., 1:] = (lab[..., 1:] + 128) * 2 ** (bits - 8)
    return np.rint(lab).astype(np.int64).astype(image.dtype)


# A profile of inks: a grid of two steps for each, whose corners are colours in L*a*b*.
CORNERS = """
100,0,0 30,0,0 90,-5,80 28,0,9 50,70,0 20,9,0 48,65,45 16,7,5
60,-35,-45 22,-5,-7 52,-60,25 18,-8,4 28,20,-45 10,3,-5 25,0,0 0,0,0
"""
INKS = [
    np.array(lab.split(","), float) * (2.55, 1, 1) + (0, 128, 128)
    for lab in CORNERS.split()
]


def cmyk_profile() -> bytes:
    """Return a profile of printing, byte for byte."""
    same = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", *(np.eye(3, dtype=int) * 65536).ravel())
    table += 4 * same + np.rint(INKS).astype(np.uint8).tobytes() + 3 * same
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"inks\0" + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *np.rint(D50 * 65536).astype(int))
    tags, entries, at = b"", b"", 128 + 4 + 12 * 3
    for name, data in ((b"desc", text), (b"wtpt", white), (b"A2B0", table)):
        data += bytes(-len(data) % 4)
        entries += name + struct.pack(">II", at + len(tags), len(data))
        tags += data
    body = struct.pack(">I", 3) + entries + tags
    head = struct.pack(">I4sI", 128 + len(body), bytes(4), 0x02400000)
    head += b"prtrCMYKLab " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0")
    head += struct.pack(">3i", *np.rint(D50 * 65536).astype(int))
    return head.ljust(128, b"\0") + body


CMYK_PROFILE = cmyk_profile()


def printed(inks) -> np.ndarray:
    """Return what inks of 8 bits look like, of the corners of the grid."""
    full = (inks.reshape(-1, 4) > 127).astype(int) @ (8, 4, 2, 1)
    corners = np.stack(INKS)[full].reshape(*inks.shape[:2], 3)
    lab = (corners - (0, 128, 128)) / (2.55, 1, 1)
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(root > 0.2069, root**3, (root - 16 / 116) / 7.787) * D50
    return encoded(xyz @ np.linalg.inv(RGB_TO_D50).T, np.uint8)


def turned(image, orientation) -> np.ndarray:
    """Return an image in each of the ways of Exif."""
    ways = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: np.rot90,
    }
    return ways[orientation](image)


# -- The table -------------------------------------------------------------------------


def tiffs_of_pillow() -> Iterator[tuple[str, Case]]:
    """Meanings x compressions, as Pillow writes them."""
    inks = np.asarray(Image.fromarray(SMOOTH).convert("CMYK")).copy()
    inks[..., 3] = ALPHA // 3
    palette = Image.fromarray(GREY)
    palette.putpalette(PALETTE_8.tobytes())
    meanings = {
        "grey": (Image.fromarray(GREY), GREY),
        "bits": (Image.fromarray(BITS), BITS),
        "palette": (palette, PALETTE_8[GREY]),
        "rgb": (Image.fromarray(SMOOTH), SMOOTH),
        "rgba": (Image.fromarray(RGBA), over_black(SMOOTH, ALPHA, 255)),
        "grey-alpha": (Image.fromarray(LA), over_black(GREY, ALPHA, 255)),
        "cmyk": (Image.fromarray(inks, "CMYK"), print_to_rgb(inks, 255)),
        "grey-16": (Image.fromarray(DEEP[..., 0]), DEEP[..., 0]),
        "float": (Image.fromarray(FLOAT), FLOAT),
    }
    exact = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
    for meaning, (image, expected) in meanings.items():
        for how in exact:
            yield (
                f"tif-{meaning}-{how}",
                (lambda i=image, h=how: pillow(i, "TIFF", compression=h), expected, 0),
            )
    for how in ("group3", "group4", "tiff_ccitt"):
        made = Image.fromarray(BITS)
        yield (
            f"tif-bits-{how}",
            (lambda i=made, h=how: pillow(i, "TIFF", compression=h), BITS, 0),
        )
    for name, image in (("grey", GREY), ("rgb", SMOOTH)):
        options = {"compression": "jpeg", "quality": 98}
        yield (
            f"tif-{name}-jpeg",
            (lambda i=image, o=options: pillow(i, "TIFF", **o), image, 6),
        )
    for how in ("raw", "tiff_lzw", "jpeg"):
        yield (
            f"tif-ycbcr-{how}",
            (
                lambda h=how: pillow(SMOOTH, "TIFF", "YCbCr", compression=h),
                SMOOTH,
                40 if how == "jpeg" else 3,
            ),
        )

    def lab() -> bytes:
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = Image.fromarray(SMOOTH)
        made = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
        return pillow(made, "TIFF")

    yield "tif-lab", (lab, SMOOTH, 16)


def tiffs_by_hand() -> Iterator[tuple[str, Case]]:
    """What no library writes: each number of bits, white for 0, kinds of alpha."""

    def made(*args, order="<", **options):
        return lambda: tiff(page(*args, order=order, **options), order=order)

    for bits in (2, 4):
        low = GREY >> (8 - bits)
        full = low * (255 // (2**bits - 1))
        yield f"tif-grey-{bits}", (made(low, 1, bits), full, 0)
        yield f"tif-white-is-0-{bits}", (made(low, 0, bits), 255 - full, 0)
        wide = PALETTE[: 2**bits].T.ravel() * 257
        options = {"t320": tuple(wide.tolist())}
        yield (
            f"tif-palette-{bits}",
            (made(low, 3, bits, **options), PALETTE_8[low], 0),
        )
    yield "tif-white-is-0-1", (made(BITS.astype(np.uint8), 0, 1), ~BITS, 0)
    for bits in (10, 12, 14):
        low = DEEP[..., 0] >> (16 - bits)
        yield f"tif-grey-{bits}", (made(low, 1, bits), low, 0)
        yield f"tif-white-is-0-{bits}", (made(low, 0, bits), 2**bits - 1 - low, 0)
    for order in "<", ">":
        for dtype in ("u1", "u2", "u4", "i2", "i4", "f4", "f8"):
            image = (DEEP[..., 0] // 300).astype(dtype)
            yield f"tif-{dtype}-{order}", (made(image, 1, order=order), image, 0)
            if dtype[0] == "u":
                top = np.iinfo(dtype).max
                yield (
                    f"tif-white-is-0-{dtype}-{order}",
                    (made(image, 0, order=order), top - image, 0),
                )
        for planar in (False, True):
            name = f"tif-rgb16-{order}-{'planes' if planar else 'pixels'}"
            options = {"order": order, "planar": planar}
            yield name, (made(DEEP, 2, **options), DEEP, 0)
            yield f"{name}-zip", (made(DEEP, 2, zipped=True, **options), DEEP, 0)
    deep = np.dstack([DEEP, DEEP_ALPHA])
    yield (
        "tif-alpha-16",
        (made(deep, 2, t338=2), over_black(DEEP, DEEP_ALPHA, 65535), 0),
    )
    yield "tif-premultiplied", (made(RGBA, 2, t338=1), SMOOTH, 0)
    yield "tif-premultiplied-grey", (made(LA, 1, t338=1), GREY, 0)
    yield "tif-4-channels", (made(RGBA, 2, t338=0), RGBA, 0)
    yield "tif-2-channels", (made(LA, 1, t338=0), LA, 0)
    five = np.dstack([RGBA, GREY])
    kept = np.dstack([over_black(SMOOTH, ALPHA, 255), GREY])
    yield "tif-alpha-and-channel", (made(five, 2, t338=(2, 0)), kept, 0)
    cmyk = np.dstack([DEEP, DEEP_ALPHA // 2])
    yield "tif-cmyk-16", (made(cmyk, 5), print_to_rgb(cmyk, 65535), 0)
    inks = np.dstack([SMOOTH, ALPHA // 2, ALPHA])
    seen = over_black(print_to_rgb(inks[..., :4], 255), ALPHA, 255)
    yield "tif-cmyk-alpha", (made(inks, 5, t338=2), seen, 1)
    seen = over_black(255 - GREY, ALPHA, 255)
    yield "tif-white-is-0-alpha", (made(LA, 0, t338=2), seen, 0)
    for name, number in (("lab", 8), ("icc-lab", 9)):
        for image in (SMOOTH, DEEP):
            stored = stored_lab(image, is_signed=number == 8)
            off = 10 if image is SMOOTH else 300
            for order in "<>":
                yield (
                    f"tif-{name}-{8 * image.itemsize}-{order}",
                    (made(stored, number, order=order), image, off),
                )
    for way in range(1, 9):
        yield f"tif-turned-{way}", (made(GREY, 1, t274=way), turned(GREY, way), 0)
    wide = tuple((PALETTE * 257 + np.arange(256)[:, None] % 3).T.ravel() % 65536)
    colours = np.array(wide, np.uint16).reshape(3, 256).T
    yield "tif-palette-16", (made(GREY, 3, t320=wide), colours[GREY], 0)
    wide = tuple(PALETTE.T.ravel().tolist())
    yield "tif-palette-of-8-bits", (made(GREY, 3, t320=wide), PALETTE_8[GREY], 0)


def tiffs_of_several_pages() -> Iterator[tuple[str, Case]]:
    """Thumbnails, pyramids and masks beside the image."""
    full, small = page(GREY, 1), page(GREY[::2, ::2], 1)
    thumbnail = page(GREY[::3, ::3], 1, t254=1)
    mask = page(ALPHA, 1, t254=4)
    beside = {
        "thumbnail-first": ((thumbnail, full), None),
        "thumbnail-last": ((full, thumbnail), None),
        "thumbnail-of-same-size": ((page(ALPHA, 1, t254=1), full), None),
        "pyramid": ((full, small), None),
        "small-first": ((small, full), None),
        "mask": ((full, mask), None),
        "inside-a-thumbnail": ((thumbnail,), full),
    }
    for name, (pages, inner) in beside.items():
        yield f"tif-{name}", (lambda p=pages, i=inner: tiff(*p, inner=i), GREY, 0)


def pngs() -> Iterator[tuple[str, Case]]:
    """Colour types x depths, with and without transparency."""
    for bits in (1, 2, 4):
        low = GREY >> (8 - bits)
        full = low.astype(bool) if bits == 1 else low * (255 // (2**bits - 1))
        yield f"png-grey-{bits}", (lambda i=low, b=bits: png(i, 0, b), full, 0)
    for bits in (1, 2, 4, 8):
        low = GREY >> (8 - bits)
        clear = bytes(np.arange(2**bits)[::-1].astype(np.uint8))
        seen = over_black(PALETTE_8[low], 2**bits - 1 - low.astype(int), 255)
        chunks = {"PLTE": PALETTE_8[: 2**bits].tobytes()}
        yield (
            f"png-palette-{bits}",
            (lambda i=low, b=bits, c=chunks: png(i, 3, b, **c), PALETTE_8[low], 0),
        )
        chunks = {**chunks, "tRNS": clear}
        yield (
            f"png-palette-{bits}-transparent",
            (lambda i=low, b=bits, c=chunks: png(i, 3, b, **c), seen, 1),
        )
    for depth, colour, alpha in ((8, SMOOTH, ALPHA), (16, DEEP, DEEP_ALPHA)):
        top = 2**depth - 1
        grey = colour[..., 0]
        both, four = np.dstack([grey, alpha]), np.dstack([colour, alpha])
        kinds = {
            "grey": (grey, 0, grey),
            "rgb": (colour, 2, colour),
            "grey-alpha": (both, 4, over_black(grey, alpha, top)),
            "rgba": (four, 6, over_black(colour, alpha, top)),
        }
        for name, (image, kind, expected) in kinds.items():
            yield (
                f"png-{name}-{depth}",
                (lambda i=image, k=kind, d=depth: png(i, k, d), expected, 0),
            )
        one = struct.pack(">H", int(grey[3, 4]))
        expected = np.where(grey == grey[3, 4], 0, grey).astype(grey.dtype)
        yield (
            f"png-grey-{depth}-one-clear",
            (lambda i=grey, d=depth, t=one: png(i, 0, d, tRNS=t), expected, 0),
        )
        three = struct.pack(">HHH", *colour[3, 4].tolist())
        is_clear = (colour == colour[3, 4]).all(axis=-1, keepdims=True)
        expected = np.where(is_clear, 0, colour).astype(colour.dtype)
        yield (
            f"png-rgb-{depth}-one-clear",
            (lambda i=colour, d=depth, t=three: png(i, 2, d, tRNS=t), expected, 0),
        )
        for way in (2, 6, 8):
            exif = Image.Exif()
            exif[ExifTags.Base.Orientation] = way
            data = exif.tobytes().removeprefix(b"Exif\0\0")
            yield (
                f"png-rgb-{depth}-turned-{way}",
                (
                    lambda i=colour, d=depth, e=data: png(i, 2, d, eXIf=e),
                    turned(colour, way),
                    0,
                ),
            )


def photographs() -> Iterator[tuple[str, Case]]:
    """JPEG, WebP, GIF, BMP and newer kinds."""
    exact = {"level": 100}
    inks = np.asarray(Image.fromarray(SMOOTH).convert("CMYK"))
    make = partial(imagecodecs.jpeg_encode, SMOOTH, level=98, subsampling="444")
    yield "jpg-rgb", (make, SMOOTH, 9)
    yield "jpg-grey", (lambda: imagecodecs.jpeg_encode(GREY, level=98), GREY, 4)
    yield (
        "jpg-cmyk",
        (lambda: pillow(Image.fromarray(inks, "CMYK"), "JPEG", quality=98), SMOOTH, 9),
    )
    deep = DEEP[..., 0] >> 4
    yield (
        "jpg-12-bits",
        (lambda: imagecodecs.jpeg_encode(deep, bitspersample=12, level=98), deep, 40),
    )
    yield "jpg-lossless", (lambda: imagecodecs.ljpeg_encode(deep), deep, 0)
    yield "jls", (lambda: imagecodecs.jpegls_encode(DEEP[..., 0]), DEEP[..., 0], 0)
    yield "jls-rgb", (lambda: imagecodecs.jpegls_encode(SMOOTH), SMOOTH, 0)

    def as_seen(kind: str, way: int) -> bytes:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = way
        return pillow(SMOOTH, kind, exif=exif)

    for kind in ("JPEG", "WEBP", "TIFF", "AVIF"):
        for way in range(1, 9):
            make = partial(as_seen, kind, way)
            yield f"{kind.lower()}-turned-{way}", (make, turned(SMOOTH, way), 60)
    seen = over_black(SMOOTH, ALPHA, 255)
    yield "webp", (lambda: imagecodecs.webp_encode(SMOOTH, lossless=True), SMOOTH, 0)
    yield "webp-alpha", (lambda: imagecodecs.webp_encode(RGBA, lossless=True), seen, 1)
    yield "bmp", (lambda: imagecodecs.bmp_encode(SMOOTH), SMOOTH, 0)
    yield "bmp-grey", (lambda: imagecodecs.bmp_encode(GREY), GREY, 0)
    yield "qoi", (lambda: imagecodecs.qoi_encode(SMOOTH), SMOOTH, 0)
    yield "qoi-alpha", (lambda: imagecodecs.qoi_encode(RGBA), seen, 1)
    frames = [Image.fromarray(GREY), Image.fromarray(ALPHA)]
    yield (
        "gif-first-frame",
        (
            lambda: pillow(frames[0], "GIF", save_all=True, append_images=frames[1:]),
            np.dstack([GREY] * 3),
            0,
        ),
    )
    clear = Image.fromarray(GREY)
    clear.putpalette(PALETTE_8.tobytes())
    dark = PALETTE_8[GREY] * (GREY[2, 2] != GREY)[..., None]
    yield (
        "gif-one-clear",
        (lambda: pillow(clear, "GIF", transparency=int(GREY[2, 2])), dark, 0),
    )
    yield "jp2", (lambda: imagecodecs.jpeg2k_encode(SMOOTH, reversible=True), SMOOTH, 0)
    yield "jp2-grey-16", (lambda: pillow(DEEP[..., 0], "JPEG2000"), DEEP[..., 0], 0)
    for bits in (12, 16):
        image = DEEP >> (16 - bits)
        options = {"reversible": True, "bitspersample": bits}
        yield (
            f"jp2-rgb-{bits}",
            (lambda i=image, o=options: imagecodecs.jpeg2k_encode(i, **o), image, 0),
        )
    yield "avif", (lambda: imagecodecs.avif_encode(SMOOTH, **exact), SMOOTH, 3)
    for bits in (10, 12):
        image = DEEP >> (16 - bits)
        options = {**exact, "bitspersample": bits}
        yield (
            f"avif-rgb-{bits}",
            (lambda i=image, o=options: imagecodecs.avif_encode(i, **o), image, 12),
        )
    for name, image in (("grey", GREY), ("rgb", SMOOTH), ("rgb-16", DEEP)):
        yield (
            f"jxl-{name}",
            (lambda i=image: imagecodecs.jpegxl_encode(i, lossless=True), image, 0),
        )
        yield (
            f"jxr-{name}",
            (lambda i=image: imagecodecs.jpegxr_encode(i, level=1.0), image, 0),
        )
    yield "jxl-alpha", (lambda: imagecodecs.jpegxl_encode(RGBA, lossless=True), seen, 1)
    yield "pgm-8", (lambda: netpbm(GREY, 255), GREY, 0)
    yield "ppm-8", (lambda: netpbm(SMOOTH, 255), SMOOTH, 0)
    yield "pgm-16", (lambda: netpbm(DEEP[..., 0], 65535), DEEP[..., 0], 0)
    yield "ppm-16", (lambda: netpbm(DEEP, 65535), DEEP, 0)


def profiles() -> Iterator[tuple[str, Case]]:
    """Colours that are others than those of sRGB, in each container."""
    seen = p3_to_srgb(SMOOTH)
    for kind in ("PNG", "TIFF", "WEBP", "JPEG2000", "AVIF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        options |= {"quality": 100, "subsampling": "4:4:4"} if kind == "AVIF" else {}
        if kind != "JPEG2000":
            make = partial(pillow, SMOOTH, kind, icc_profile=P3_PROFILE, **options)
            yield f"{kind.lower()}-p3", (make, seen, 2 if kind != "AVIF" else 14)
    make = partial(
        pillow, SMOOTH, "JPEG", quality=98, subsampling=0, icc_profile=P3_PROFILE
    )
    yield "jpg-p3", (make, seen, 22)
    chunk = b"P3\0\0" + zlib.compress(P3_PROFILE)
    deep = p3_to_srgb(DEEP)
    yield "png-p3-16", (lambda: png(DEEP, 2, 16, iCCP=chunk), deep, 250)
    clear = np.dstack([SMOOTH, ALPHA])
    yield (
        "png-p3-alpha",
        (lambda: png(clear, 6, iCCP=chunk), over_black(seen, ALPHA, 255), 2),
    )
    p3 = {"t34675": tuple(P3_PROFILE)}
    yield "tif-p3-16", (lambda: tiff(page(DEEP, 2, **p3)), deep, 250)
    grey = {"t34675": tuple(imagecodecs.cms_profile("gray", gamma=1.0))}
    yield "tif-profile-of-grey", (lambda: tiff(page(GREY, 1, **grey)), GREY, 0)
    broken = {"t34675": tuple(b"no profile" * 20)}
    yield "tif-broken-profile", (lambda: tiff(page(SMOOTH, 2, **broken)), SMOOTH, 0)
    floats = SMOOTH / np.float32(255)
    yield (
        "tif-profile-of-floats",
        (lambda: tiff(page(floats, 2, **p3)), floats, 0),
    )
    inks = np.where(np.dstack([SMOOTH, ALPHA]) > 120, 255, 0).astype(np.uint8)
    tag = {"t34675": tuple(CMYK_PROFILE)}
    yield "tif-inks", (lambda: tiff(page(inks, 5, **tag)), printed(inks), 3)
    flat = np.full((16, 24, 4), (255, 0, 255, 0), np.uint8)
    make = partial(
        pillow, Image.fromarray(flat, "CMYK"), "JPEG", icc_profile=CMYK_PROFILE
    )
    yield "jpg-inks", (make, printed(flat), 6)


def heic(image, mode: str, **info) -> bytes:
    """Return what a telephone writes."""
    pytest.importorskip("pi_heif")
    writer = pytest.importorskip("pillow_heif")
    made = writer.from_bytes(mode, image.shape[1::-1], image.tobytes())
    made.info.update(info)
    file = io.BytesIO()
    made.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    return file.getvalue()


def telephones() -> Iterator[tuple[str, Case]]:
    """HEIC of each meaning and depth."""
    seen = over_black(SMOOTH, ALPHA, 255)
    yield "heic-rgb", (lambda: heic(SMOOTH, "RGB"), SMOOTH, 3)
    yield "heic-grey", (lambda: heic(GREY, "L"), GREY, 1)
    yield "heic-alpha", (lambda: heic(RGBA, "RGBA"), seen, 4)
    yield "heic-deep", (lambda: heic(DEEP, "RGB;16"), DEEP, 700)
    p3 = p3_to_srgb(SMOOTH)
    yield (
        "heic-p3",
        (lambda: heic(SMOOTH, "RGB", icc_profile=P3_PROFILE), p3, 8),
    )


CASES: dict[str, Case] = {
    name: case
    for table in (
        tiffs_of_pillow,
        tiffs_by_hand,
        tiffs_of_several_pages,
        pngs,
        photographs,
        profiles,
        telephones,
    )
    for name, case in table()
}


@pytest.mark.parametrize("name", CASES)
def test_what_comes_out(tmp_path, name):
    make, expected, tolerance = CASES[name]
    container = name.partition("-")[0]
    # A name that is right, and one that is of another kind.
    places = (
        tmp_path / f"right.{container}",
        tmp_path / ("wrong.png" if container != "png" else "wrong.tif"),
    )
    for path in places:
        path.write_bytes(make())
        image = read_image(path)
        assert image.shape == expected.shape
        assert image.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        if tolerance:
            assert_allclose(image.astype(float), expected.astype(float), atol=tolerance)
        else:
            assert_array_equal(image, expected)
        header = read_header(path)
        if header is not None:
            assert header.shape == image.shape
            assert header.dtype.newbyteorder("=") == image.dtype.newbyteorder("=")


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.png": (lambda: b"", "is empty: fetch it again"),
    "empty.tif": (lambda: b"", "is empty: fetch it again"),
    "page.jpg": (
        lambda: b"<!DOCTYPE html>\n<html>",
        "is a web page, .* fetch the image",
    ),
    "page.tif": (lambda: b"\xef\xbb\xbf <html lang='en'>", "is a web page"),
    "lfs.png": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
        "is a pointer of Git LFS, which is not read: fetch the file",
    ),
    "notes.png": (lambda: b"nothing here\n" * 9, "is text, which is not read"),
    "drawing.png": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'>", "SVG drawing"),
    "noise.png": (lambda: bytes(range(1, 255)), "damaged or of an unknown kind"),
    "cut.png": (lambda: png(SMOOTH, 2)[:300], "ends too early"),
    "cut-deep.png": (
        lambda: png(DEEP, 2, 16)[:900],
        "is damaged|ends too early|cannot",
    ),
    "cut.jpg": (lambda: pillow(SMOOTH, "JPEG")[:700], "ends too early"),
    "cut.tif": (lambda: pillow(SMOOTH, "TIFF")[:-200], "ends too early|cannot be read"),
    "cut-end.tif": (lambda: tiff(page(GREY, 1))[:100], "cannot be read|ends too early"),
    "bomb.png": (
        lambda: pillow(Image.new("1", (14_000, 13_000)), "PNG"),
        "more than 178 million pixels, .* crop or shrink",
    ),
    "photo.heic": (
        lambda: b"\0\0\0\x18ftypheic" + bytes(99),
        r"a HEIC, which is not read: save it as JPEG, or .*\[heic\]",
    ),
    "photo.jpg": (lambda: b"\0\0\0\x18ftypmif1" + bytes(99), "is a HEIC"),
    "movie.mp4": (lambda: b"\0\0\0\x18ftypisom" + bytes(99), "is a video, .* frames"),
    "movie.avi": (lambda: b"RIFF\0\0\0\0AVI LIST" + bytes(99), "is a video"),
    "cells.czi": (lambda: b"ZISRAWFILE" + bytes(99), r"is a CZI, .*\[bio\]"),
    "cells.nd2": (lambda: b"\xda\xce\xbe\x0a" + bytes(99), r"is an ND2, .*\[bio\]"),
    "cells.lif": (lambda: b"\x70\0\0\0" + bytes(99), r"is a LIF, .*\[bio\]"),
    "cells.oib": (lambda: b"\xd0\xcf\x11\xe0" + bytes(99), "is an OIB"),
    "slice.dcm": (lambda: bytes(128) + b"DICM" + bytes(9), "is a DICOM file"),
    "brain.nii": (lambda: bytes(200), "is a NIfTI file"),
    "stars.fits": (lambda: b"SIMPLE  =  T" + bytes(99), "is a FITS file"),
    "layers.psd": (lambda: b"8BPS" + bytes(99), "is a Photoshop file"),
    "raw.nef": (lambda: bytes(200), "is a raw file of a camera"),
    "raw.cr2": (lambda: b"II*\0\x10\0\0\0CR\2\0" + bytes(99), "is a raw file"),
    "raw.tif": (lambda: tiff(page(DEEP[..., 0], 32803)), "is raw data of a camera"),
    "archive.png": (lambda: b"PK\x03\x04" + bytes(99), "is a ZIP archive, .* unpack"),
    "paper.jpg": (lambda: b"%PDF-1.7" + bytes(99), "is a PDF"),
    "stack.tif": (
        lambda: tiff(*[page(GREY, 1)] * 9),
        "is a stack of planes .* one image per plane",
    ),
    "colour-stack.tif": (lambda: tiff(*[page(SMOOTH, 2)] * 3), "is a stack of planes"),
    "several.tif": (
        lambda: tiff(page(GREY, 1), page(GREY[:, :-2], 1)),
        "holds 2 images of different sizes",
    ),
    "thumbnails.tif": (
        lambda: tiff(page(GREY, 1, t254=1)),
        "nothing but thumbnails",
    ),
    "white-is-0.tif": (
        lambda: tiff(page(FLOAT, 0)),
        "white for the number 0 in float32",
    ),
    "white-is-0-int.tif": (
        lambda: tiff(page(FLOAT.astype(np.int16), 0)),
        "white for the number 0 in int16",
    ),
    "itu-lab.tif": (lambda: tiff(page(SMOOTH, 10)), "ITU L.a.b"),
    "float-lab.tif": (
        lambda: tiff(page(SMOOTH.astype(np.float32), 8)),
        "L.a.b. colours of float32",
    ),
    "mask.tif": (lambda: tiff(page(BITS.astype(np.uint8), 4, 1)), "mask of transp"),
    "two-inks.tif": (lambda: tiff(page(LA, 5)), "has 2 inks"),
    "palette-gone.tif": (lambda: tiff(page(GREY, 3)), "no palette|cannot be read"),
    "text-16.ppm": (lambda: b"P3\n1 1\n65535\n1 2 3\n", "more than 8 bits, .* as PNG"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_in_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "bioio", None)
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    make, sentence = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(DataError, match=sentence) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"The image {path} ")
    assert "\n" not in str(caught.value)
    try:
        header = read_header(path)
    except DataError:
        return
    assert header is None


def test_a_folder_with_the_name_of_an_image_is_no_image(tmp_path):
    (tmp_path / "a.png").mkdir()
    for read in (read_image, read_header):
        with pytest.raises(DataError, match=r"a\.png is a folder: leave it out"):
            read(tmp_path / "a.png")
