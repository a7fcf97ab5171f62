"""Places with files: one by its id, many by a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from uuid import UUID

from globus_sdk import MISSING, TransferClient

from portal.globus.errors import UnexpectedAnswer, globus_errors
from transfers.storable import storable_text

#: What ``endpoint_search`` can be narrowed to, and the words for it.
SCOPES = {
    "hide-no-permissions": "All that you can use",
    "recently-used": "Recent",
    "my-endpoints": "Your collections",
    "shared-with-me": "Shared with you",
    "shared-by-me": "Shared by you",
    "administered-by-me": "Administered by you",
    "my-gcp-endpoints": "On your computers",
    "in-use": "In use",
    "all": "Everything",
}
#: scopes that are nothing without words to search for
WANT_WORDS = ("all", "hide-no-permissions")
PAGE_SIZE = 100
#: Globus shows no more than this many results of a search.
MOST_RESULTS = 1000

Kind = Literal[
    "GCSv5_mapped_collection",
    "GCSv5_guest_collection",
    "GCSv5_endpoint",
    "GCP_mapped_collection",
    "GCP_guest_collection",
]
KINDS: dict[Kind, str] = {
    "GCSv5_mapped_collection": "Mapped collection",
    "GCSv5_guest_collection": "Guest collection",
    "GCSv5_endpoint": "Endpoint",
    "GCP_mapped_collection": "Personal collection",
    "GCP_guest_collection": "Personal guest collection",
}


@dataclass(frozen=True)
class Collection:
    """What the portal shows of a collection; texts are untrusted.

    :ivar default_directory: where a listing without a path begins; may be empty
    :ivar document: everything Globus said
    """

    id: UUID
    display_name: str
    entity_type: str = ""
    owner: str = ""
    organization: str = ""
    description: str = ""
    contact_email: str = ""
    default_directory: str = ""
    https_server: str = ""
    high_assurance: bool = False
    is_public: bool = False
    is_connected: bool | None = None
    roles: tuple[str, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """In words; empty for a kind that we do not know."""
        return KINDS.get(cast(Kind, self.entity_type), "")

    @property
    def holds_files(self) -> bool:
        """An endpoint only holds collections."""
        return self.entity_type != "GCSv5_endpoint"

    @property
    def needs_data_access(self) -> bool:
        """Whether its use takes a consent of its own (globus-services 6)."""
        is_mapped = self.entity_type == "GCSv5_mapped_collection"
        return is_mapped and not self.high_assurance

    def __str__(self) -> str:
        return self.display_name or str(self.id)


@dataclass(frozen=True)
class SearchPage:
    """:ivar next_offset: where the next page begins; none after the last"""

    collections: tuple[Collection, ...]
    offset: int
    next_offset: int | None


def collection(transfer_client: TransferClient, collection_id: UUID) -> Collection:
    """:raises NotFound: there is none, or it is not visible to this principal

    https://docs.globus.org/api/transfer/endpoints_and_collections/#get_endpoint_or_collection_by_id
    """
    with globus_errors():
        answer = transfer_client.get_endpoint(collection_id)
        return _collection(answer.data)


def search(
    transfer_client: TransferClient,
    text: str = "",
    scope: str = "all",
    offset: int = 0,
    *,
    kind: str = "",
    limit: int = PAGE_SIZE,
) -> SearchPage:
    """One page of collections that fit the words.

    Without any words the scope ``all`` finds nothing: Globus wants some there.

    :param scope: a key of ``SCOPES``; anything else is read as ``all``
    :param kind: a key of ``KINDS``, for these only

    https://docs.globus.org/api/transfer/endpoint_and_collection_search/
    """
    text = text.strip()
    scope = scope if scope in SCOPES else "all"
    offset = max(0, offset)
    if (scope in WANT_WORDS and not text) or offset >= MOST_RESULTS:
        return SearchPage((), offset, None)
    with globus_errors():
        answer = transfer_client.endpoint_search(
            text or MISSING,
            filter_scope=scope,
            # Globus takes one of these two only.
            filter_non_functional=MISSING if kind in KINDS else False,
            filter_entity_type=kind if kind in KINDS else MISSING,
            limit=min(limit, MOST_RESULTS - offset),
            offset=offset,
        )
        rows = _rows(answer.data)
    found = tuple(_collection(row) for row in rows)
    following = offset + len(rows)
    more = bool(answer.data.get("has_next_page")) and rows and following < MOST_RESULTS
    return SearchPage(found, offset, following if more else None)


def _rows(data: Any) -> list[Any]:
    rows = data.get("DATA") if isinstance(data, Mapping) else None
    if not isinstance(rows, list):
        raise UnexpectedAnswer(code="Collections")
    return rows


def _collection(row: Any) -> Collection:
    try:
        return Collection(
            id=UUID(row["id"]),
            display_name=_text(row, "display_name") or _text(row, "canonical_name"),
            entity_type=_text(row, "entity_type"),
            owner=_text(row, "owner_string"),
            organization=_text(row, "organization"),
            description=_text(row, "description"),
            contact_email=_text(row, "contact_email"),
            default_directory=_text(row, "default_directory"),
            https_server=_text(row, "https_server"),
            high_assurance=row.get("high_assurance") is True,
            is_public=row.get("public") is True,
            is_connected=_flag(row.get("gcp_connected")),
            roles=tuple(str(each) for each in row.get("my_effective_roles") or ()),
            document=row,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise UnexpectedAnswer(code="Collection") from err


def _text(row: Mapping[str, Any], key: str) -> str:
    """Stored with transfers and jobs; none of them is an id."""
    value = row.get(key)
    return storable_text(value) if isinstance(value, str) else ""


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None
