"""Files that the portal makes for people to keep."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

#: A spreadsheet takes a cell that starts so for a formula (security.md W04).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
LINES_AT_ONCE = 1000


class _Echo:
    """A file that hands back what is written to it, a line at a time."""

    def write(self, line: str) -> str:
        return line


def csv_response(
    name: str, header: Sequence[str], rows: Iterable[Sequence[str]]
) -> StreamingHttpResponse:
    return streamed(name, "text/csv; charset=utf-8", csv_lines(header, rows))


def streamed(
    name: str, content_type: str, lines: Iterable[str]
) -> StreamingHttpResponse:
    """A file that is sent while it is made; what UTF-8 cannot hold becomes U+FFFD."""
    response = StreamingHttpResponse(in_blocks(lines), content_type=content_type)
    disposition = content_disposition_header(as_attachment=True, filename=name)
    assert disposition is not None
    response["Content-Disposition"] = disposition
    return response


def in_blocks(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines a thousand at a time: each block is a write to the connection."""
    rest = iter(lines)
    while block := "".join(islice(rest, LINES_AT_ONCE)):
        yield block.encode("utf-8", "surrogatepass").decode("utf-8", "replace").encode()


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(header)
    for row in rows:
        yield writer.writerow([harmless_cell(cell) for cell in row])


def harmless_cell(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
