"""``make screenshots``: the pictures that the README and the docs show, made anew.

They are few, one screen high, and of few colours, so that the repository stays small.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, ViewportSize

from sandbox import seed
from tests.browser.screenshots import CAMPAIGN, files, preview
from tests.browser.site import (
    Site,
    give_consent,
    running_browser,
    running_site,
    sign_in,
)

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 760}
#: bytes; a picture that is larger shows too much
LARGEST = 120_000
TWO = (
    f"{files(seed.RESEARCH, CAMPAIGN + '2026-03-01/')}"
    f"&destination_id={seed.RESEARCH}&destination_path=/projects/"
)
#: name -> address, of what a researcher sees
PICTURES = {
    "files": TWO,
    "collection": f"/collections/{seed.RESEARCH}/",
    "preview": preview("/projects/spring-campaign/results/variants.csv"),
    "upload": f"/collections/{seed.RESEARCH}/upload/?path=/home/ada/",
    "account": "/account/",
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with running_site() as site, running_browser() as browser:
        page = browser.new_page(viewport=WIDE, reduced_motion="reduce")
        page.set_default_timeout(60_000)
        for name, raw in pictures(page, site):
            small = with_palette(raw)
            assert len(small) <= LARGEST, f"{name}: {len(small)} bytes"
            (FOLDER / f"{name}.png").write_bytes(small)
            print(f"{name}.png: {len(small):,} bytes, of {len(raw):,}")


def pictures(page: Page, site: Site) -> Iterator[tuple[str, bytes]]:
    sign_in(page, site, "ada")
    page.goto(site.url + PICTURES["upload"])
    give_consent(page, site)
    for name, address in PICTURES.items():
        page.goto(site.url + address)
        page.wait_for_load_state("networkidle")
        yield name, page.screenshot()
    page.goto(site.url + TWO)
    for name in ("quality.csv", "run.json"):
        page.locator("#origin").get_by_label(f"Select {name}").check()
    page.emulate_media(color_scheme="dark")
    yield "files-dark", page.screenshot()
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    page.goto(site.url + files(seed.RESEARCH, CAMPAIGN + "2026-03-01/"))
    page.wait_for_load_state("networkidle")
    yield "files-phone", page.screenshot()


# --- PNG (https://www.w3.org/TR/png-3/), as Chromium writes it: 8 bits, no interlace


def with_palette(png: bytes) -> bytes:
    """The picture in its 256 most frequent colours, the others as their nearest."""
    width, height, depth, pixels = unpacked(png)
    colours = Counter(zip(*(pixels[at::depth] for at in range(3)), strict=True))
    palette = [colour for colour, _ in colours.most_common(256)]
    number_of = {colour: number for number, colour in enumerate(palette)}
    for colour in colours:
        if colour not in number_of:
            number_of[colour] = min(
                range(len(palette)),
                key=lambda each: sum(
                    (a - b) ** 2 for a, b in zip(palette[each], colour, strict=True)
                ),
            )
    found = zip(*(pixels[at::depth] for at in range(3)), strict=True)
    indexed = bytes(map(number_of.__getitem__, found))
    lines = (indexed[row * width : (row + 1) * width] for row in range(height))
    data = b"".join(b"\0" + line for line in lines)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours_of = b"".join(map(bytes, palette))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(kind, body)
        for kind, body in (
            (b"IHDR", head),
            (b"PLTE", colours_of),
            (b"IDAT", zlib.compress(data, 9)),
            (b"IEND", b""),
        )
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def unpacked(png: bytes) -> tuple[int, int, int, bytes]:
    """``(width, height, bytes of a pixel, all pixels)``."""
    at, data = 8, bytearray()
    width = height = kind = 0
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height, bits, kind = struct.unpack(">IIBB", body[:10])
            assert (bits, body[12]) == (8, 0)
        elif name == b"IDAT":
            data += body
        at += length + 12
    depth = {2: 3, 6: 4}[kind]
    return width, height, depth, unfiltered(zlib.decompress(data), width * depth, depth)


def unfiltered(data: bytes, length: int, depth: int) -> bytes:
    """Section 9.2: each byte by those to its left and above it."""
    found = bytearray()
    above = bytes(length)
    for start in range(0, len(data), length + 1):
        kind, line = data[start], bytearray(data[start + 1 : start + 1 + length])
        if kind:
            for at in range(length):
                left = line[at - depth] if at >= depth else 0
                corner = above[at - depth] if at >= depth else 0
                line[at] = (line[at] + guess(kind, left, above[at], corner)) & 255
        found += line
        above = bytes(line)
    return bytes(found)


def guess(kind: int, left: int, above: int, corner: int) -> int:
    match kind:
        case 1:
            return left
        case 2:
            return above
        case 3:
            return (left + above) // 2
    both = left + above - corner
    return min((left, above, corner), key=lambda each: abs(both - each))


if __name__ == "__main__":
    main()
