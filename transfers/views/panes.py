"""The two panes of the files page: what an address says of them, and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from transfers.folders import Folder, Row
from transfers.paths import HOME, parent, parents
from transfers.viewing import View
from transfers.views.addresses import (
    COLUMNS,
    OF_A_FOLDER,
    OF_A_SIDE,
    OTHER,
    SIDES,
    USUAL_COLUMNS,
    Address,
)

#: a column that shows in another way what one of ``viewing.ORDERS`` is about
SORTED_BY = {"bytes": "size"}
#: few enough for all picks of a page to fit into one form (security.md W08)
ROWS = 150


@dataclass(frozen=True)
class Head:
    """A head of the table that sorts by it.

    :ivar direction: of ``aria-sort``, when the table is sorted by this
    """

    key: str
    name: str
    order: str
    address: str
    direction: str


@dataclass
class Pane:
    """One side of the page."""

    side: str
    address: Address
    collection_id: UUID | None = None
    name: str = ""
    folder: Folder | None = None
    rows: list[Row] = field(default_factory=list)
    found: int = 0
    found_bytes: int = 0
    failure: dict[str, Any] = field(default_factory=dict)
    path_is_wrong: bool = False
    #: collections to begin with: ``(name, kind, address)``
    choices: list[tuple[str, str, str]] = field(default_factory=list)
    #: where else to look for one: ``(words, address)``
    ways_to_find: list[tuple[str, str]] = field(default_factory=list)
    #: for the form that searches on behalf of this pane
    finding_fields: list[tuple[str, str]] = field(default_factory=list)

    def of(self, name: str) -> str:
        return self.address.get(f"{self.side}_{name}")

    @property
    def of_id(self) -> str:
        return self.of("id")

    @property
    def other_id(self) -> str:
        return self.address.get(f"{OTHER[self.side]}_id")

    @property
    def other_path(self) -> str:
        return self.address.get(f"{OTHER[self.side]}_path")

    @property
    def closing(self) -> str:
        return self.address.closed(self.side)

    @property
    def changing(self) -> str:
        """This pane without a collection; the other stays."""
        gone = {f"{self.side}_{name}": "" for name in OF_A_SIDE}
        is_second = self.side == SIDES[1] or self.other_id
        return self.address.to(**gone, panes="2" if is_second else "")

    @property
    def syncing(self) -> str:
        return self.address.synced(self.side)

    @property
    def shown(self) -> list[tuple[Row, str]]:
        """Rows, and where folders and files lead."""
        assert self.folder is not None
        ways, path_of = (self.entering, self.previewing), self.folder.path_of
        return [
            (row, self._leads_to(*ways, row, path_of(row.name))) for row in self.rows
        ]

    @staticmethod
    def _leads_to(entering: str, previewing: str, row: Row, path: str) -> str:
        if not path:
            return ""
        if row.is_folder:
            return f"{entering}{quote(path)}/"
        return f"{previewing}{quote(path)}" if row.type == "file" else ""

    @property
    def previewing(self) -> str:
        """The address that shows a file, but for the file's path."""
        return f"{reverse('transfers:preview', args=[self.collection_id])}?path="

    @property
    def path(self) -> str:
        return self.folder.path if self.folder else self.of("path")

    @property
    def hidden(self) -> bool:
        return self.of("hidden") == "1"

    @property
    def view(self) -> View:
        return View.of(self.of("sort") or "name", self.of("filter"), self.of("kind"))

    @property
    def offset(self) -> int:
        text = self.of("offset")
        is_number = text.isdecimal() and text.isascii() and len(text) < 8
        return int(text) if is_number else 0

    @property
    def last(self) -> int:
        return self.offset + len(self.rows)

    @property
    def crumbs(self) -> list[tuple[str, str, str]]:
        """``(name, path, address)`` from the top down to the folder itself."""
        if not self.path.startswith("/"):
            return []
        return [
            (_crumb(path, name), path, self.address.opening(self.side, path))
            for name, path in parents(self.path)
        ]

    @property
    def up(self) -> str:
        above = parent(self.path) if self.path.startswith("/") else None
        return self.address.opening(self.side, above) if above else ""

    @property
    def home(self) -> str:
        return self.address.opening(self.side, HOME)

    @property
    def top(self) -> str:
        return self.address.opening(self.side, "/")

    @property
    def unfiltered(self) -> str:
        gone = {f"{self.side}_{name}": "" for name in OF_A_FOLDER}
        return self.address.to(**gone)

    @property
    def without_hidden(self) -> str:
        return self.address.to(**{f"{self.side}_hidden": ""})

    @property
    def with_hidden(self) -> str:
        return self.address.to(**{f"{self.side}_hidden": "1"})

    @property
    def before(self) -> str:
        return self._at(max(0, self.offset - ROWS)) if self.offset else ""

    @property
    def following(self) -> str:
        return self._at(self.last) if self.rows and self.last < self.found else ""

    @property
    def beginning(self) -> str:
        return self._at(0)

    def _at(self, offset: int) -> str:
        return self.address.to(**{f"{self.side}_offset": str(offset) if offset else ""})

    @property
    def columns(self) -> list[str]:
        chosen = self.address.get("columns")
        return chosen.split(",") if chosen else list(USUAL_COLUMNS)

    @property
    def heads(self) -> list[Head]:
        return [
            self._head("name", "Name"),
            *(self._head(key, COLUMNS[key]) for key in self.columns),
        ]

    def _head(self, key: str, name: str) -> Head:
        order = SORTED_BY.get(key, key)
        now = self.view.order
        direction = {order: "ascending", f"-{order}": "descending"}.get(now, "")
        following = f"-{order}" if now == order else order
        gone = {f"{self.side}_offset": ""}
        changes = gone | {f"{self.side}_sort": "" if following == "name" else following}
        return Head(key, name, order, self.address.to(**changes), direction)

    @property
    def entering(self) -> str:
        """What the path of a folder in this one is put behind, quoted."""
        address = self.address.opening(self.side, "")
        return f"{address}{'&' if '?' in address else '?'}{self.side}_path="

    @property
    def filter_fields(self) -> list[tuple[str, str]]:
        names = ("filter", "kind", "hidden", "offset")
        return self.address.fields(*(f"{self.side}_{name}" for name in names))

    @property
    def path_fields(self) -> list[tuple[str, str]]:
        names = ("path", *OF_A_FOLDER)
        return self.address.fields(*(f"{self.side}_{name}" for name in names))

    @property
    def column_fields(self) -> list[tuple[str, str]]:
        return self.address.fields("columns")


def _crumb(path: str, name: str) -> str:
    return {"/": "Top", HOME: "Home"}.get(path, name)


def back(request: HttpRequest) -> str:
    """The files page that a form was on; never anything else."""
    given = request.POST.get("back", "")
    page = reverse("transfers:files")
    is_ours = url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    if is_ours and given.isprintable() and given.partition("?")[0] == page:
        return given
    return page
