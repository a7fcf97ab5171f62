"""The options of a transfer, by the names that Globus has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers import options as shared
from transfers.filters import MOST_RULES, read_line, written_line
from transfers.options import NAMES, OptionFields


class OptionsForm(OptionFields):
    filter_rules = forms.CharField(
        label="Filters",
        required=False,
        widget=forms.Textarea(
            attrs={"rows": 3, "spellcheck": "false", "class": "form-control mono"}
        ),
        help_text="A line each, for what lies in folders: “exclude *.tmp”, “include "
        "dir results”. The first line that fits decides; what fits none is copied.",
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, options: Mapping[str, Any]
    ) -> None:
        """:param options: of the job as it is"""
        super().__init__(data, initial=_initial(options))
        self._kept = {
            name: value for name, value in options.items() if name not in _HERE
        }
        self.fields["globus_mail"].help_text = (
            "To the address of the service account, if it has one. This portal’s own "
            "messages are below."
        )
        self.dress()

    def clean_filter_rules(self) -> list[dict[str, str]]:
        lines = enumerate(self.cleaned_data["filter_rules"].splitlines(), start=1)
        rules, wrong = [], []
        for number, line in lines:
            if not line.strip():
                continue
            try:
                rules.append(read_line(line))
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
        found = shared.chosen(self.cleaned_data)
        if self.cleaned_data["filter_rules"]:
            found["filter_rules"] = self.cleaned_data["filter_rules"]
        return self._kept | found


_HERE = NAMES | {"filter_rules"}


def _initial(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **shared.initial(options, mails=()),
        "filter_rules": "\n".join(map(written_line, options.get("filter_rules", []))),
    }
