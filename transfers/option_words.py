"""The options of a document, in sentences."""

from __future__ import annotations

from typing import Any

_SYNC = {
    0: "only files that were not there yet",
    1: "only files whose size differed",
    2: "only files that were newer, or whose size differed",
    3: "only files whose checksum differed",
}
_OPTIONS = {
    "encrypt_data": "Encrypted on the way",
    "preserve_timestamp": "The time of the last change is kept",
    "skip_source_errors": "What cannot be read is left out",
    "fail_on_quota_errors": "Fails when the destination is full",
    "delete_destination_extra": "Deletes what is only at the destination",
}


def of(document: dict[str, Any]) -> list[str]:
    if document.get("DATA_TYPE") == "delete":
        return ["Folders with all that is in them"] if document.get("recursive") else []
    level = document.get("sync_level")
    checked = document.get("verify_checksum")
    return [
        f"Copies {_SYNC.get(level, 'every file')}"
        if isinstance(level, int)
        else "Copies every file",
        "Checksums are verified" if checked else "Checksums are not verified",
        *(words for name, words in _OPTIONS.items() if document.get(name)),
    ]
