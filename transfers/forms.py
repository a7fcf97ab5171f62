"""What people fill in: kinds of fields, and small forms.

A transfer: ``transfers.send_form``. Jobs: ``transfers.jobs.form``.
"""

from __future__ import annotations

import unicodedata
import uuid
from datetime import UTC
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers import repeating, submission
from transfers.deadlines import DeadlineFields
from transfers.models import Transfer
from transfers.paths import BadPath, normalised


class LookMixin:
    """Bootstrap's classes, and what is wrong with a field said to screen readers."""

    fields: dict[str, forms.Field]

    def dress(self) -> None:
        for field in self.fields.values():
            widget = field.widget
            if isinstance(
                widget,
                forms.CheckboxInput | forms.HiddenInput | forms.CheckboxSelectMultiple,
            ):
                continue
            widget.attrs.setdefault("class", "form-control")


class PathField(forms.CharField):
    """A path in a collection, as ``transfers.paths`` keeps it."""

    def __init__(self, *, folder: bool = False, **options: Any) -> None:
        self.folder = folder
        # Blanks at the ends are part of a name.
        super().__init__(**{"strip": False, **options})
        self.widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if not text:
            return text
        try:
            return normalised(text, folder=self.folder)
        except BadPath as err:
            raise ValidationError(err.advice) from err


class LabelField(forms.CharField):
    """What Globus takes as a label: one line of at most 128 characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=submission.LONGEST_LABEL, **options)
        self.widget.attrs["autocomplete"] = "off"

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
            raise ValidationError("A label is one line, without control characters.")
        return text


class TaskForm(LookMixin, DeadlineFields):
    """What can be changed while a transfer is under way.

    Its deadline stands there in UTC; a script changes it and the zone to the person's.
    """

    label = LabelField()
    field_order = ("label", "deadline", "deadline_zone")

    def __init__(self, *args: Any, transfer: Transfer, **kwargs: Any) -> None:
        moment = transfer.deadline and transfer.deadline.astimezone(UTC)
        initial = {"label": transfer.label, "deadline": moment}
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["deadline"].help_text = "Empty leaves it to Globus."
        if moment and not self.is_bound:
            attrs = self.fields["deadline"].widget.attrs
            attrs["data-moment"] = moment.isoformat(timespec="minutes")
        self.dress()


class TemplateNameForm(LookMixin, forms.Form):
    name = forms.CharField(
        max_length=100,
        error_messages={"required": "Give it a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()


class AgainForm(forms.Form):
    """What of a transfer is sent again.

    ``transfer_id`` is made with the form, so that two clicks are one transfer.
    """

    what = forms.ChoiceField(label="What to send", widget=forms.RadioSelect)
    transfer_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, transfer: Transfer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        what = self.fields["what"]
        assert isinstance(what, forms.ChoiceField)
        what.choices = self._choices(transfer)
        what.initial = what.choices[0][0] if what.choices else ""

    @staticmethod
    def _choices(transfer: Transfer) -> list[tuple[str, str]]:
        choices = []
        can_fail = transfer.kind == Transfer.Kind.TRANSFER and (
            transfer.has_skips or transfer.status == Transfer.Status.FAILED
        )
        if transfer.can_be_repeated and can_fail:
            choices.append(("rest", "Only what failed or was left out"))
        if transfer.can_be_repeated:
            choices.append(("same", "The same once more"))
        if repeating.can_be_edited(transfer):
            choices.append(("changed", "The same, but let me change it first"))
        return choices


class RunNowForm(LookMixin, forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=500,
        help_text="Stays with the run, for whoever looks at it later.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()
