"""Addresses of the files page: two sides, and how each is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

SIDES = ("origin", "destination")
#: what an address says of a side, after its name
OF_A_SIDE = ("id", "path", "sort", "filter", "kind", "hidden", "offset")
#: what belongs to one folder, and goes when another is opened
OF_A_FOLDER = ("filter", "kind", "offset")
#: columns besides the name, and what their heads say
COLUMNS = {
    "type": "Type",
    "size": "Size",
    "bytes": "Bytes",
    "time": "Changed",
    "rights": "Permissions",
    "user": "Owner",
    "group": "Group",
}
#: columns that stand there unless others were chosen
USUAL_COLUMNS = ("type", "size", "time")


class Address:
    """The files page's address; only what it knows, so that links stay short."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = {name: given[name] for name in _KNOWN if given.get(name)}

    @classmethod
    def of(cls, query: QueryDict) -> Address:
        given = {name: query.get(name, "") for name in _KNOWN}
        chosen = ",".join(query.getlist("columns")).split(",")
        known = [name for name in COLUMNS if name in chosen]
        given["columns"] = "" if tuple(known) == USUAL_COLUMNS else ",".join(known)
        return cls(given)

    def get(self, name: str) -> str:
        return self._given.get(name, "")

    def to(self, **changes: str) -> str:
        """With some parameters changed; an empty one goes."""
        wanted = self._given | changes
        query = urlencode({k: v for k, v in wanted.items() if v}, errors="replace")
        return f"{reverse('transfers:files')}{'?' if query else ''}{query}"

    def opening(self, side: str, path: str) -> str:
        """Another folder in one of the panes."""
        gone = {f"{side}_{name}": "" for name in OF_A_FOLDER}
        return self.to(**gone, **{f"{side}_path": path})

    def fields(self, *without: str) -> list[tuple[str, str]]:
        """For the hidden fields of a form that changes the others."""
        return [(k, v) for k, v in self._given.items() if k not in without]

    def swapped(self) -> str:
        return self._mapped({"origin": "destination", "destination": "origin"})

    def synced(self, side: str) -> str:
        """Both panes show what this one shows."""
        of_side = {n: self.get(f"{side}_{n}") for n in OF_A_SIDE}
        both = {f"{each}_{n}": v for each in SIDES for n, v in of_side.items()}
        return self.to(**both)

    def closed(self, side: str) -> str:
        """The other pane stays, as the first."""
        if side == "origin":
            return Address(self._swapped()).closed("destination")
        gone = {f"{side}_{name}": "" for name in OF_A_SIDE}
        return self.to(**gone, panes="")

    def _mapped(self, other: Mapping[str, str]) -> str:
        return Address(self._swapped()).to()

    def _swapped(self) -> dict[str, str]:
        changed = {}
        for name, value in self._given.items():
            side, _, rest = name.partition("_")
            changed[f"{OTHER[side]}_{rest}" if side in SIDES else name] = value
        return changed


OTHER = {"origin": "destination", "destination": "origin"}
_KNOWN = (
    *(f"{side}_{name}" for side in SIDES for name in OF_A_SIDE),
    "columns",
    "panes",
)
