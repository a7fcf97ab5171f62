"""The rules of a collection, as sentences."""

from collections.abc import Callable, Mapping
from typing import Any

from transfers.collections import Collection

MINUTES_PER_DAY = 1440

#: A key of the collection's document, the value that says something, and what it says
_FLAGS: tuple[tuple[str, bool, str], ...] = (
    ("force_encryption", True, "Everything is encrypted on the way; this is required."),
    ("force_verify", True, "Checksums are always verified."),
    ("disable_verify", True, "Checksums cannot be verified here."),
    ("mfa_required", True, "You must sign in with a second factor."),
    ("disable_anonymous_writes", True, "Nobody may write without signing in."),
    ("requester_pays", True, "Whoever reads the data pays for it."),
    ("gcp_paused", True, "Its owner has paused it; nothing moves until that ends."),
    ("non_functional", True, "Globus says that it does not work at the moment."),
)


def policies(collection: Collection) -> list[str]:
    """What somebody who wants to use the collection should know of it."""
    document = collection.document
    sentences = [text for key, value, text in _FLAGS if document.get(key) is value]
    if collection.high_assurance:
        sentences.insert(
            0,
            "It holds data that must be protected (high assurance), so it asks for a "
            "sign-in with the right identity and not too long ago.",
        )
    sentences += [
        words(document[key])
        for key, words in _NUMBERS.items()
        if _is_positive(document, key)
    ]
    if collection.is_connected is False:
        sentences.append("The computer that it is on is not connected right now.")
    if collection.https_server:
        sentences.append("Files can also be read with a browser, over HTTPS.")
    if collection.is_public:
        sentences.append("Everyone can find it in the search.")
    else:
        sentences.append("Only those who may use it can find it in the search.")
    return sentences


def _is_positive(document: Mapping[str, Any], key: str) -> bool:
    value = document.get(key)
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _days_or_minutes(minutes: int) -> str:
    if minutes % MINUTES_PER_DAY == 0:
        days = minutes // MINUTES_PER_DAY
        return "1 day" if days == 1 else f"{days} days"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


_NUMBERS: dict[str, Callable[[int], str]] = {
    "authentication_timeout_mins": lambda minutes: (
        f"Your sign-in must not be older than {_days_or_minutes(minutes)}."
    ),
    "acl_max_expiration_period_mins": lambda minutes: (
        f"Access that is shared ends after {_days_or_minutes(minutes)} at the latest."
    ),
    "auto_delete_timeout": lambda days: (
        f"Globus removes the collection after {days} days without use."
    ),
}
