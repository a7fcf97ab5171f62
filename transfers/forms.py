"""What people fill in: a transfer, a reason. Jobs: ``transfers.jobs.form``."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from transfers import repeating, submission
from transfers.editing import as_globus_writes
from transfers.models import Transfer
from transfers.paths import BadPath, join, name_of, normalised

MOST_ITEMS = 150
SYNC_LEVELS = [
    ("", "Copy every file, whatever is there"),
    ("0", "Copy files that are not there yet"),
    ("1", "Copy files whose size differs"),
    ("2", "Copy files that are newer, or whose size differs"),
    ("3", "Copy files whose checksum differs"),
]
#: An option of the form that overrules the default only when it is switched on.
SWITCHES = ("preserve_timestamp", "encrypt_data", "skip_source_errors")


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


class DeadlineField(forms.DateTimeField):
    """A moment that is still to come, in UTC."""

    def __init__(self, **options: Any) -> None:
        widget = forms.DateTimeInput(
            attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
        )
        super().__init__(required=False, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return value.astimezone(UTC) if isinstance(value, datetime) else value

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        if moment is not None and moment <= timezone.now():
            raise ValidationError("This moment has passed already.")
        return moment


class TransferForm(LookMixin, forms.Form):
    """A transfer by a person. What was picked in a folder comes beside the form.

    Each thing keeps its name: it arrives in the destination folder as what it was
    called at the source.
    """

    origin_id = forms.UUIDField(
        error_messages={
            "required": "Choose the collection that the data is on.",
            "invalid": "This is not a collection’s ID.",
        },
        widget=forms.HiddenInput,
    )
    origin_path = PathField(
        label="File or folder",
        required=False,
        max_length=8192,
        help_text="A folder ends in “/” and goes with all that is in it.",
    )
    destination_id = forms.UUIDField(
        error_messages={
            "required": "Choose the collection that the data goes to.",
            "invalid": "This is not a collection’s ID.",
        },
        widget=forms.HiddenInput,
    )
    destination_path = PathField(
        label="Folder",
        folder=True,
        max_length=8192,
        error_messages={"required": "Say in which folder the data shall arrive."},
        help_text="It is made if it does not exist.",
    )
    label = LabelField(
        help_text="What you will recognise it by in the list of transfers."
    )
    deadline = DeadlineField(
        label="Give up at (UTC)",
        help_text="Otherwise Globus gives up when nothing has moved for a day or more.",
    )
    sync_level = forms.ChoiceField(
        label="Which files to copy", choices=SYNC_LEVELS, required=False
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
        "to you.",
    )
    cancel_if_stalled = forms.BooleanField(
        label="Cancel it if it stalls",
        required=False,
        help_text="When the same fault has kept it from moving for ten minutes.",
    )

    def __init__(
        self,
        *args: Any,
        items: Sequence[str] = (),
        names: Mapping[str, str],
        is_selection: bool = False,
        **kw: Any,
    ) -> None:
        """
        :param items: paths that were picked; a folder ends in a slash
        :param is_selection: they came as one (``transfers.picking``), so they may be
            more than a form has room for
        :param names: of the collections that could be looked up, by field
        """
        super().__init__(*args, **kw)
        self.items = list(items)
        self.is_selection = is_selection
        self.names = names
        self.dress()

    def clean_origin_id(self) -> Any:
        return self._known("origin_id")

    def clean_destination_id(self) -> Any:
        return self._known("destination_id")

    def _known(self, field: str) -> Any:
        if not self.names.get(field):
            raise ValidationError(
                "There is no such collection, or you may not see it. Choose another."
            )
        return self.cleaned_data[field]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not self.items and not data.get("origin_path"):
            if "origin_path" not in self.errors:
                self.add_error(
                    "origin_path", "Say what to transfer, or pick it in its folder."
                )
        elif len(self.items) > MOST_ITEMS and not self.is_selection:
            self.add_error(
                "origin_path",
                f"These are more than {MOST_ITEMS} things. Pick their folder instead.",
            )
        if not self.errors:
            self._write_document(data)
        return data

    def _write_document(self, data: Mapping[str, Any]) -> None:
        try:
            self.document = submission.document_for(
                source_collection=data["origin_id"],
                destination_collection=data["destination_id"],
                items=self._items(data["origin_path"], data["destination_path"]),
                label=data["label"],
                options=self._options(data),
            )
        except BadPath as err:
            self.add_error("origin_path", err.advice)
        except submission.BadRequest as err:
            self.add_error(FIELD_OF.get(err.field), err.advice)

    def _items(self, path: str, folder: str) -> list[submission.Item]:
        if not self.items:
            return [submission.Item(path, arrival(path, folder), is_folder(path))]
        # A picked file is known to be one.
        return [
            submission.Item(each, arrival(each, folder), each.endswith("/"))
            for each in map(normalised, self.items)
        ]

    @staticmethod
    def _options(data: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {"verify_checksum": data["verify_checksum"]}
        options |= {name: True for name in SWITCHES if data[name]}
        if data["sync_level"]:
            options["sync_level"] = int(data["sync_level"])
        if data["deadline"]:
            options["deadline"] = as_globus_writes(data["deadline"])
        return options


#: The field at which a ``BadRequest`` is shown.
FIELD_OF = {
    "source": "origin_path",
    "items": "origin_path",
    "destination": "destination_path",
    "deadline": "deadline",
}


class TaskForm(LookMixin, forms.Form):
    """What can be changed while a transfer is under way."""

    label = LabelField()
    deadline = DeadlineField(
        label="Give up at (UTC)", help_text="Empty leaves it to Globus."
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


def is_folder(path: str) -> bool | None:
    """A path that a person wrote: a slash at the end says it, without one who knows."""
    return True if path.endswith("/") else None


def arrival(path: str, folder: str) -> str:
    """Where something arrives: under its own name. A whole collection has none."""
    name = name_of(path)
    if name in ("", "~"):
        return folder
    end = "/" if path.endswith("/") else ""
    return f"{join(folder, name)}{end}"


class RunNowForm(LookMixin, forms.Form):
    reason = forms.CharField(
        required=False,
        max_length=500,
        help_text="Stays with the run, for whoever looks at it later.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dress()
