"""The options of a transfer, by the names that Globus has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers.forms import SYNC_LEVELS, LookMixin

#: an option that stands in a document only when it is switched on
SWITCHES = (
    "preserve_timestamp",
    "encrypt_data",
    "skip_source_errors",
    "fail_on_quota_errors",
)
MAILS = ("succeeded", "failed", "inactive")
MOST_RULES = 50
_METHODS = ("include", "exclude")
_TYPES = ("file", "dir")


class OptionsForm(LookMixin, forms.Form):
    sync_level = forms.ChoiceField(
        label="Which files to copy", choices=SYNC_LEVELS, required=False
    )
    verify_checksum = forms.BooleanField(
        label="Verify checksums",
        required=False,
        help_text="Each file is compared with its source after it has arrived, and "
        "sent again if it differs.",
    )
    preserve_timestamp = forms.BooleanField(
        label="Keep the time of the last change", required=False
    )
    encrypt_data = forms.BooleanField(label="Encrypt on the way", required=False)
    skip_source_errors = forms.BooleanField(
        label="Leave out what cannot be read",
        required=False,
        help_text="Otherwise the transfer waits for files that are missing or closed "
        "to the service account.",
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
    )
    filter_rules = forms.CharField(
        label="Filters",
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "class": "form-control mono"}
        ),
        help_text="A line each, for what lies in folders: “exclude *.tmp”, “include "
        "dir results”. The first line that fits decides; what fits none is copied.",
    )
    globus_mail = forms.MultipleChoiceField(
        label="Mail that Globus sends itself",
        choices=[(each, each.capitalize()) for each in MAILS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="To the address of the service account, if it has one. This portal’s "
        "own messages are below.",
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, options: Mapping[str, Any]
    ) -> None:
        """:param options: of the job as it is"""
        super().__init__(data, initial=_initial(options))
        self._kept = {
            name: value for name, value in options.items() if name not in _HERE
        }
        self.dress()

    def clean_filter_rules(self) -> list[dict[str, str]]:
        lines = enumerate(self.cleaned_data["filter_rules"].splitlines(), start=1)
        rules, wrong = [], []
        for number, line in lines:
            if not line.strip():
                continue
            try:
                rules.append(_rule(line))
            except ValueError:
                wrong.append(
                    f"Line {number}: “{line[:40]}” is no filter. Write “exclude” or "
                    "“include”, maybe “file” or “dir”, and a name with * or ?."
                )
        if len(rules) > MOST_RULES:
            wrong.append(f"There are more than {MOST_RULES} filters.")
        if wrong:
            raise ValidationError(wrong)
        return rules

    def options(self) -> dict[str, Any]:
        """The checked options, with those that this form does not know."""
        data = self.cleaned_data
        found: dict[str, Any] = {"verify_checksum": data["verify_checksum"]}
        found |= {name: True for name in SWITCHES if data[name]}
        if data["sync_level"]:
            found["sync_level"] = int(data["sync_level"])
        if data["recursive_symlinks"]:
            found["recursive_symlinks"] = data["recursive_symlinks"]
        if data["filter_rules"]:
            found["filter_rules"] = data["filter_rules"]
        found |= {f"notify_on_{each}": each in data["globus_mail"] for each in MAILS}
        return self._kept | found


_HERE = {
    "sync_level",
    "verify_checksum",
    "recursive_symlinks",
    "filter_rules",
    *SWITCHES,
    *(f"notify_on_{each}" for each in MAILS),
}


def _initial(options: Mapping[str, Any]) -> dict[str, Any]:
    level = options.get("sync_level")
    return {
        **{name: options.get(name, False) for name in SWITCHES},
        "verify_checksum": options.get("verify_checksum", True),
        "sync_level": "" if level is None else str(level),
        "recursive_symlinks": options.get("recursive_symlinks", ""),
        "filter_rules": "\n".join(map(_written, options.get("filter_rules", []))),
        "globus_mail": [
            each for each in MAILS if options.get(f"notify_on_{each}", False)
        ],
    }


def _rule(line: str) -> dict[str, str]:
    """:raises ValueError: it is none"""
    method, _, rest = line.strip().partition(" ")
    kind, _, name = rest.strip().partition(" ")
    rule = {"DATA_TYPE": "filter_rule", "method": method.lower()}
    if kind.lower() in _TYPES and name.strip():
        rule["type"], rule["name"] = kind.lower(), name.strip()
    else:
        rule["name"] = rest.strip()
    if rule["method"] not in _METHODS or not rule["name"] or "/" in rule["name"]:
        raise ValueError(line)
    return rule


def _written(rule: Mapping[str, str]) -> str:
    parts = [rule.get("method", "exclude"), rule.get("type", ""), rule.get("name", "")]
    return " ".join(part for part in parts if part)
