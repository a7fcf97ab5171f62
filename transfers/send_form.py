"""The form of a transfer by a person: from where, to where, and every option."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from transfers import contradictions, submission
from transfers.batch_form import Sheet
from transfers.contradictions import Policy
from transfers.filters import Rule
from transfers.forms import PathField
from transfers.paths import BadPath, join, name_of, normalised
from transfers.send_options import SendOptions

MOST_ITEMS = 150


class TransferForm(SendOptions):
    """What was picked in a folder, the rules and the lines of a batch come beside it.

    What is picked keeps its name: it arrives in the destination folder as what it was
    called at the source. A line of a batch names both.

    :ivar document: what is sent to Globus, once the form is valid
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
    #: holds what is wrong with the lines; they themselves come beside the form
    batch = forms.CharField(required=False, widget=forms.HiddenInput)
    document: dict[str, Any]

    def __init__(
        self,
        *args: Any,
        items: Sequence[str] = (),
        names: Mapping[str, str],
        is_selection: bool = False,
        rules: Sequence[Rule] = (),
        sheet: Sheet | None = None,
        policies: Sequence[Policy] = (),
        **kw: Any,
    ) -> None:
        """
        :param items: paths that were picked; a folder ends in a slash
        :param is_selection: they came as one (``transfers.picking``), so they may be
            more than a form has room for
        :param names: of the collections that could be looked up, by field
        :param sheet: the lines of a batch; nothing, or an empty one, if it is none
        :param policies: of both collections, if both could be looked up
        """
        super().__init__(*args, rules=rules, **kw)
        self.sheet = sheet or Sheet()
        self.items = [] if self.sheet.is_on else list(items)
        self.is_selection = is_selection
        self.names = names
        self.policies = policies
        self.encrypting = [each.called for each in policies if each.forces_encryption]
        if self.encrypting:
            self.fields["encrypt_data"].help_text = (
                f"“{self.encrypting[0]}” wants everything encrypted, so it is, "
                "whether this is ticked or not."
            )
        if self.sheet.is_on:
            self._be_a_batch()
        self.dress()

    def _be_a_batch(self) -> None:
        for name, words in (
            ("origin_path", "Sources"),
            ("destination_path", "Destinations"),
        ):
            field = self.fields[name]
            field.required = False
            field.label = f"{words} lie below"
            field.help_text = "For paths that do not begin with “/” or “~”."

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
        if self.encrypting:
            data["encrypt_data"] = True
        self._check_what(data)
        if data.get("delete_destination_extra"):
            self._check_confirmation(data)
        if not self.errors:
            self._check_together(data)
        if not self.errors:
            self._write_document(data)
        return data

    def _check_what(self, data: Mapping[str, Any]) -> None:
        if self.sheet.is_on:
            if says := self.sheet.says:
                self.add_error("batch", says)
        elif not self.items and not data.get("origin_path"):
            if "origin_path" not in self.errors:
                self.add_error(
                    "origin_path", "Say what to transfer, or pick it in its folder."
                )
        elif len(self.items) > MOST_ITEMS and not self.is_selection:
            self.add_error(
                "origin_path",
                f"These are more than {MOST_ITEMS} things. Pick their folder instead.",
            )

    def _check_confirmation(self, data: Mapping[str, Any]) -> None:
        path = data.get("destination_path") or ""
        fits = {
            self.names.get("destination_id", ""),
            str(data.get("destination_id") or ""),
            path,
            path.rstrip("/"),
            name_of(path),
        }
        typed = data.get("delete_confirm", "")
        if not typed or not {typed, typed.strip()} & (fits - {""}):
            self.add_error(
                "delete_confirm",
                "Type the name of the destination collection, or of the folder there, "
                "exactly as it is written above. Nothing is sent before.",
            )

    def _check_together(self, data: Mapping[str, Any]) -> None:
        sent = self._items(data["origin_path"], data["destination_path"])
        has_folders = any(item.recursive is not False for item in sent)
        seen = set()
        for field, says in contradictions.found(
            data, self.policies, has_folders=has_folders
        ):
            if field not in seen:
                seen.add(field)
                self.add_error(field, says)

    def _write_document(self, data: Mapping[str, Any]) -> None:
        try:
            self.document = submission.document_for(
                source_collection=data["origin_id"],
                destination_collection=data["destination_id"],
                items=self._items(data["origin_path"], data["destination_path"]),
                label=data["label"],
                options=self.options(data),
            )
        except BadPath as err:
            self.add_error(self._field("origin_path"), err.advice)
        except submission.BadRequest as err:
            self.add_error(self._field(FIELD_OF.get(err.field)), err.advice)
        else:
            if data["delete_destination_extra"]:
                self.document["delete_destination_extra"] = True

    def _field(self, field: str | None) -> str | None:
        """Where it is said: a batch has its paths in its lines."""
        in_lines = field in ("origin_path", "destination_path") and self.sheet.is_on
        return "batch" if in_lines else field

    def _items(self, path: str, folder: str) -> list[submission.Item]:
        if self.sheet.is_on:
            return self.sheet.items(path, folder)
        if not self.items:
            return [submission.Item(path, arrival(path, folder), is_folder(path))]
        # A picked file is known to be one.
        if self.is_selection:
            return [_listed(each, folder) for each in self.items]
        return [
            submission.Item(each, arrival(each, folder), each.endswith("/"))
            for each in map(normalised, self.items)
        ]


#: The field at which a ``BadRequest`` is shown.
FIELD_OF = {
    "source": "origin_path",
    "items": "origin_path",
    "destination": "destination_path",
    "deadline": "deadline",
}


def is_folder(path: str) -> bool | None:
    """A path that a person wrote: a slash at the end says it, without one who knows."""
    return True if path.endswith("/") else None


def _listed(path: str, folder: str) -> submission.Item:
    """Of a path that ends in a name of a listing, and of a folder that was checked."""
    is_dir = path.endswith("/")
    name = path.rstrip("/").rpartition("/")[2]
    end = "/" if is_dir else ""
    return submission.Item(path, f"{folder}{name}{end}", is_dir, is_listed=True)


def arrival(path: str, folder: str) -> str:
    """Where something arrives: under its own name. A whole collection has none."""
    name = name_of(path)
    if name in ("", "~"):
        return folder
    end = "/" if path.endswith("/") else ""
    return f"{join(folder, name)}{end}"
