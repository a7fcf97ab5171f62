"""What a list notes of a folder, as a form: patterns for names, types, hidden names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers.forms import LookMixin
from transfers.jobs.tree_rules import MOST_PATTERNS, TYPES, problem_of_pattern

_WORDS = {"file": "Files", "dir": "Folders", "link": "Symbolic links"}
_LINES = {"rows": 3, "spellcheck": "false", "class": "form-control mono"}


class FiltersForm(LookMixin, forms.Form):
    """``filters()`` is what ``Rules.of`` reads, of a checked form."""

    include = forms.CharField(
        label="Only files named",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs=_LINES | {"placeholder": "*.csv"}),
        help_text="A pattern in each line, with * and ?. Empty: every file. Folders "
        "are looked into whatever they are called.",
    )
    exclude = forms.CharField(
        label="Leave out what is named",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs=_LINES | {"placeholder": "*.tmp"}),
        help_text="Files and folders. A folder that is left out is not looked into.",
    )
    types = forms.MultipleChoiceField(
        label="Only these",
        choices=[(each, _WORDS[each]) for each in TYPES],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None chosen: everything, devices and pipes too.",
    )
    hidden = forms.BooleanField(
        label="Also names that begin with a dot", required=False
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, filters: Mapping[str, Any]
    ) -> None:
        """:param filters: of the job as it is"""
        initial = {
            "include": "\n".join(filters.get("include", [])),
            "exclude": "\n".join(filters.get("exclude", [])),
            "types": filters.get("types", []),
            "hidden": filters.get("hidden", True),
        }
        super().__init__(data, initial=initial)
        self.dress()

    def clean_include(self) -> list[str]:
        return _patterns(self.cleaned_data["include"])

    def clean_exclude(self) -> list[str]:
        return _patterns(self.cleaned_data["exclude"])

    def filters(self) -> dict[str, Any]:
        data = self.cleaned_data
        found = {
            name: data[name] for name in ("include", "exclude", "types") if data[name]
        }
        return found if data["hidden"] else found | {"hidden": False}


def _patterns(text: str) -> list[str]:
    """:raises ValidationError: a sentence per line that is no pattern"""
    numbered = enumerate(text.splitlines(), start=1)
    lines = [(number, line) for number, line in numbered if line.strip()]
    wrong = [
        f"Line {number}: {says}"
        for number, line in lines
        if (says := problem_of_pattern(line))
    ]
    if len(lines) > MOST_PATTERNS:
        wrong.append(f"There are more than {MOST_PATTERNS} patterns.")
    if wrong:
        raise ValidationError(wrong)
    return [*dict.fromkeys(line for _, line in lines)]
