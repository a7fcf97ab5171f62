"""The pictures for the docs are made small without changing what is on them."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from tests.browser.for_docs import chunk, guess, unpacked, with_palette

WIDTH, HEIGHT = 7, 5


def written(pixels, kind):
    """A PNG of these, each line filtered in this way."""
    length, above, data = WIDTH * 3, bytes(WIDTH * 3), b""
    for row in range(HEIGHT):
        line = pixels[row * length : (row + 1) * length]
        data += bytes([kind])
        for at, value in enumerate(line):
            left = line[at - 3] if at >= 3 else 0
            corner = above[at - 3] if at >= 3 else 0
            told = guess(kind, left, above[at], corner) if kind else 0
            data += bytes([(value - told) & 255])
        above = line
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, body) for name, body in parts)


@pytest.mark.parametrize("kind", range(5))
def test_pixels_come_out_as_they_went_in(kind):
    pixels = random.Random(kind).randbytes(WIDTH * HEIGHT * 3)
    assert unpacked(written(pixels, kind)) == (WIDTH, HEIGHT, 3, pixels)


def test_a_palette_keeps_the_colours():
    pixels = bytes((1, 2, 3, 250, 251, 252, 9, 9, 9) * 12)[: WIDTH * HEIGHT * 3]
    small = with_palette(written(pixels, 4))
    at = small.index(b"PLTE")
    [length] = struct.unpack(">I", small[at - 4 : at])
    palette = small[at + 4 : at + 4 + length]
    data = small.index(b"IDAT")
    [size] = struct.unpack(">I", small[data - 4 : data])
    lines = zlib.decompress(small[data + 4 : data + 4 + size])
    shown = b"".join(
        palette[3 * lines[row * (WIDTH + 1) + 1 + at] :][:3]
        for row in range(HEIGHT)
        for at in range(WIDTH)
    )
    assert shown == pixels
