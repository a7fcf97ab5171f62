"""A collection is looked for on behalf of a pane, and found back into it.

The pages that find one carry along which pane it is for and what the files page showed,
so that the other pane is still there afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict
from django.urls import reverse
from django.utils.http import urlencode

from transfers.views.addresses import OF_A_SIDE, SIDES, Address

#: in an address: which pane, and the query of the files page
INTO, BESIDE = "into", "beside"


@dataclass(frozen=True)
class Choosing:
    """:ivar side: the pane that waits for a collection"""

    side: str
    address: Address

    @classmethod
    def of(cls, request: HttpRequest) -> Choosing | None:
        side = request.GET.get(INTO, "")
        if side not in SIDES:
            return None
        # Read as any address of the files page is: what it does not know goes.
        beside = QueryDict(request.GET.get(BESIDE, "")[:16_384])
        return cls(side, Address.of(beside))

    @property
    def beside(self) -> str:
        return urlsplit(self.address.to()).query

    @property
    def fields(self) -> list[tuple[str, str]]:
        """For the forms of the pages that find one."""
        return [(INTO, self.side), (BESIDE, self.beside)]

    @property
    def back(self) -> str:
        return (
            self.address.to(panes="2") if self.side == SIDES[1] else self.address.to()
        )

    def to(self, collection_id: object, path: str = "") -> str:
        """The panes with this collection in the one that waits."""
        gone = {f"{self.side}_{name}": "" for name in OF_A_SIDE}
        found = {f"{self.side}_id": str(collection_id), f"{self.side}_path": path}
        # A second pane with a collection in it need not be asked for.
        panes = {"panes": ""} if self.side == SIDES[1] else {}
        return self.address.to(**gone | found | panes)


def finding(side: str, address: Address, page: str, **query: str) -> str:
    """A page that finds collections, for a pane."""
    choosing = Choosing(side, address)
    return f"{reverse(page)}?{urlencode(dict(choosing.fields) | query)}"
