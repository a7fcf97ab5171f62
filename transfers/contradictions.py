"""Options that contradict each other, what is sent, or a collection's own rules.

Said at the field before anything is sent; Globus would refuse it, or do something else
than the form says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from transfers.collections import Collection
from transfers.templatetags.names import inert_text

CHECKSUMS = 3
#: the kinds of collections on which people have local accounts
MAPPED = ("GCSv5_mapped_collection", "GCP_mapped_collection")
#: the field of a form -> which collection it is about
LOCAL_USERS = {"source_local_user": 0, "destination_local_user": 1}


@dataclass(frozen=True)
class Policy:
    """What counts of a collection here; its name is untrusted."""

    name: str
    is_mapped: bool = True
    forces_verify: bool = False
    cannot_verify: bool = False
    forces_encryption: bool = False

    @property
    def called(self) -> str:
        """Its name for a sentence, where it neither acts nor misleads."""
        return inert_text(self.name)

    @classmethod
    def of(cls, collection: Collection) -> Policy:
        document = collection.document
        return cls(
            str(collection),
            collection.entity_type in MAPPED,
            document.get("force_verify") is True,
            document.get("disable_verify") is True,
            document.get("force_encryption") is True,
        )


Found = Iterator[tuple[str, str]]


def found(
    data: Mapping[str, Any], places: Iterable[Policy], *, has_folders: bool
) -> Found:
    """``(field, sentence)`` of each contradiction.

    :param data: of a form, by the names of the options
    :param places: the source and the destination, as far as they are known
    :param has_folders: whether a folder is, or may be, among what is sent
    """
    if not has_folders:
        yield from _about_folders(data)
    if data.get("delete_destination_extra"):
        yield from _of_deleting(data)
    known = [*places]
    for place in known:
        yield from _with_rules_of(place, data)
    if len(known) == len(LOCAL_USERS):
        for field, number in LOCAL_USERS.items():
            if data.get(field) and not known[number].is_mapped:
                yield (
                    field,
                    f"“{known[number].called}” is no mapped collection, so there are "
                    "no local accounts. Leave this empty.",
                )


def _about_folders(data: Mapping[str, Any]) -> Found:
    for field, words in (
        ("filter_rules", "Filters are about what lies in folders"),
        ("recursive_symlinks", "This is about links that lie in folders"),
        ("delete_destination_extra", "Only a folder can be made the same as another"),
    ):
        if data.get(field):
            yield field, f"{words}, and only files are sent."


def _of_deleting(data: Mapping[str, Any]) -> Found:
    if data.get("skip_source_errors"):
        yield (
            "skip_source_errors",
            "What cannot be read would count as gone, and its copy be deleted. Take "
            "this away, or do not delete at the destination.",
        )


def _with_rules_of(place: Policy, data: Mapping[str, Any]) -> Found:
    if place.forces_verify and not data.get("verify_checksum"):
        yield (
            "verify_checksum",
            f"“{place.called}” always verifies checksums, so leave this switched on.",
        )
    if place.cannot_verify and data.get("verify_checksum"):
        yield (
            "verify_checksum",
            f"“{place.called}” cannot verify checksums, so switch this off.",
        )
    if place.cannot_verify and data.get("sync_level") == str(CHECKSUMS):
        yield (
            "sync_level",
            f"“{place.called}” has no checksums to compare. Compare times or sizes.",
        )
