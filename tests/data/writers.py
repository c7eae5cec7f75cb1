"""Files of images, byte for byte as their standards have them.

They are written without the libraries that read them, and with the tags that no library
writes.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

SHORT, LONG = 3, 4

Tags = dict[int, int | tuple[int, ...]]


def tiff_page(image: np.ndarray, *, photometric: int, bits: int | None = None, **more):
    """Return tags and data of a page: one strip of (H, W) or (H, W, C) numbers."""
    image = image if image.ndim == 3 else image[..., None]
    height, width, samples = image.shape
    bits = bits or 8 * image.dtype.itemsize
    tags: Tags = {
        256: width,
        257: height,
        258: (bits,) * samples,
        259: 1,
        262: photometric,
        277: samples,
        278: height,
        284: 1,
    }
    kind = {"u": 1, "b": 1, "i": 2, "f": 3}[image.dtype.kind]
    if kind > 1:
        tags[339] = (kind,) * samples
    order = more.pop("order", "<")
    if bits % 8 == 0:
        data = image.astype(image.dtype.newbyteorder(order)).tobytes()
    else:
        data = packed(image.reshape(height, -1), bits)
    if more.pop("zipped", False):
        tags[259], data = 8, zlib.compress(data)
    tags |= {int(name.removeprefix("tag")): value for name, value in more.items()}
    return tags, data


def packed(rows: np.ndarray, bits: int) -> bytes:
    """Return rows of numbers, each of some bits and each row filled to a byte."""
    each = (rows[..., None].astype(np.int64) >> np.arange(bits)[::-1]) & 1
    flat = each.reshape(len(rows), -1).astype(np.uint8)
    return np.packbits(flat, axis=1).tobytes()


def tiff(*pages, order: str = "<", inner=None) -> bytes:
    """Return a TIFF file of some pages; the last of them may have another one inside."""
    out = bytearray((b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 0))
    link = 4

    def write(tags: Tags, data: bytes) -> int:
        nonlocal out
        where = len(out)
        out += data + b"\0" * (len(data) % 2)
        tags = {**tags, 273: where, 279: len(data)}
        entries = b""
        for tag, value in sorted(tags.items()):
            values = value if isinstance(value, tuple) else (value,)
            kind, code = (LONG, "I") if tag in (273, 279, 330) else (SHORT, "H")
            raw = struct.pack(f"{order}{len(values)}{code}", *values)
            if len(raw) > 4:
                at = len(out)
                out += raw
                raw = struct.pack(f"{order}I", at)
            entries += struct.pack(f"{order}HHI", tag, kind, len(values))
            entries += raw.ljust(4, b"\0")
        start = len(out)
        out += struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
        return start

    for number, (tags, data) in enumerate(pages):
        if inner is not None and number == len(pages) - 1:
            tags = {**tags, 330: write(*inner)}
        start = write(tags, data)
        out[link : link + 4] = struct.pack(f"{order}I", start)
        link = len(out) - 4
    return bytes(out)


def png(image: np.ndarray, colour: int, bits: int = 8, **chunks: bytes) -> bytes:
    """Return a PNG of (H, W) or (H, W, C) numbers; chunks stand before the pixels."""
    image = image if image.ndim == 3 else image[..., None]
    height, width, _ = image.shape
    if bits < 8:
        rows = packed(image.reshape(height, -1), bits)
    else:
        rows = image.astype(np.dtype(f"u{bits // 8}").newbyteorder(">")).tobytes()
    step = len(rows) // height
    lines = b"".join(b"\0" + rows[at : at + step] for at in range(0, len(rows), step))
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    parts = [(b"IHDR", head)]
    parts += [(name.encode(), data) for name, data in chunks.items()]
    parts += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + checksum(name + data)
        for name, data in parts
    )


def checksum(data: bytes) -> bytes:
    """Return that of a chunk."""
    return struct.pack(">I", zlib.crc32(data))


def netpbm(image: np.ndarray, top: int) -> bytes:
    """Return a binary PGM or PPM."""
    height, width = image.shape[:2]
    head = b"P%d\n%d %d\n%d\n" % (6 if image.ndim == 3 else 5, width, height, top)
    return head + image.astype(">u2" if top > 255 else "u1").tobytes()
