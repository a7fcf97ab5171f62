"""The options that every form of a transfer has, each with a sentence about it.

A person's form and the form of a job share these fields, so that an option is called
and explained the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from transfers.forms import LookMixin

SYNC_LEVELS = [
    ("", "Copy every file, whatever is there"),
    ("0", "Copy files that are not there yet"),
    ("1", "Copy files whose size differs"),
    ("2", "Copy files that are newer, or whose size differs"),
    ("3", "Copy files whose checksum differs"),
]
#: an option that stands in a document only when it is switched on
SWITCHES = (
    "preserve_timestamp",
    "encrypt_data",
    "skip_source_errors",
    "fail_on_quota_errors",
)
MAILS = ("succeeded", "failed", "inactive")
#: what Globus does with symbolic links when nothing is said
IGNORE_LINKS = "ignore"


class OptionFields(LookMixin, forms.Form):
    sync_level = forms.ChoiceField(
        label="Which files to copy",
        choices=SYNC_LEVELS,
        required=False,
        help_text="What is at the destination already can be left alone.",
    )
    verify_checksum = forms.BooleanField(
        label="Verify checksums",
        required=False,
        initial=True,
        help_text="Each file is compared with its source after it has arrived, and "
        "sent again if it differs.",
    )
    preserve_timestamp = forms.BooleanField(
        label="Keep the time of the last change",
        required=False,
        help_text="Otherwise files carry the time at which they arrived.",
    )
    encrypt_data = forms.BooleanField(
        label="Encrypt on the way",
        required=False,
        help_text="Some collections require it anyway. It may be slower.",
    )
    skip_source_errors = forms.BooleanField(
        label="Leave out what cannot be read",
        required=False,
        help_text="Otherwise the transfer waits for files that are missing or closed "
        "to whoever sends it.",
    )
    fail_on_quota_errors = forms.BooleanField(
        label="Fail when the destination is full",
        required=False,
        help_text="Otherwise it waits for room.",
    )
    recursive_symlinks = forms.ChoiceField(
        label="Symbolic links in folders",
        choices=[
            ("", "Leave them out"),
            ("keep", "Keep them as links"),
            ("copy", "Copy what they lead to"),
        ],
        required=False,
        help_text="Links are not followed unless they are copied as what they lead to.",
    )
    globus_mail = forms.MultipleChoiceField(
        label="Mail that Globus sends itself",
        choices=[
            ("succeeded", "When it succeeded"),
            ("failed", "When it failed"),
            ("inactive", "When it waits for a sign-in"),
        ],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


def chosen(data: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a document, from what ``OptionFields`` has checked.

    What is left to Globus is left out, but for checksums (security.md R14) and mail,
    which each form says.
    """
    found: dict[str, Any] = {"verify_checksum": data["verify_checksum"]}
    found |= {name: True for name in SWITCHES if data[name]}
    if data["sync_level"]:
        found["sync_level"] = int(data["sync_level"])
    if data["recursive_symlinks"]:
        found["recursive_symlinks"] = data["recursive_symlinks"]
    return found | {f"notify_on_{each}": each in data["globus_mail"] for each in MAILS}


def initial(options: Mapping[str, Any], *, mails: Iterable[str]) -> dict[str, Any]:
    """The other way round.

    :param mails: what is ticked of those about which the options say nothing
    """
    level = options.get("sync_level")
    links = options.get("recursive_symlinks", "")
    wanted = {*mails}
    return {
        **{name: bool(options.get(name, False)) for name in SWITCHES},
        "verify_checksum": options.get("verify_checksum", True),
        "sync_level": "" if level is None else str(level),
        "recursive_symlinks": "" if links == IGNORE_LINKS else links,
        "globus_mail": [
            each
            for each in MAILS
            if options.get(f"notify_on_{each}", each in wanted) is True
        ],
    }


#: the options that these fields can say
NAMES = frozenset(
    (
        "sync_level",
        "verify_checksum",
        "recursive_symlinks",
        *SWITCHES,
        *(f"notify_on_{each}" for each in MAILS),
    )
)
