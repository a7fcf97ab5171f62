"""The forms about a service account in the admin; a secret only goes in."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.utils import timezone

from accounts import credential_check
from accounts.models import ServiceAccount, ServiceAccountSecret
from portal.globus import scopes

SERVERS = (
    (scopes.TRANSFER, "Globus Transfer: list, transfer and delete data"),
    (scopes.GROUPS, "Globus Groups: see its groups"),
    (scopes.AUTH, "Globus Auth: see its own identity"),
)


def secret_field(**options: Any) -> forms.CharField:
    return forms.CharField(
        strip=True,
        max_length=500,
        widget=forms.PasswordInput(
            render_value=False, attrs={"autocomplete": "new-password", "size": 50}
        ),
        **options,
    )


class ServiceAccountForm(forms.ModelForm[ServiceAccount]):
    allowed_servers = forms.MultipleChoiceField(
        label="May act at",
        choices=SERVERS,
        initial=[scopes.TRANSFER],
        widget=forms.CheckboxSelectMultiple,
        help_text="The portal asks for nothing else in its name.",
    )

    class Meta:
        model = ServiceAccount
        fields: ClassVar = ["name", "client_id", "purpose", "owner", "allowed_servers"]
        help_texts: ClassVar = {
            "owner": "Who answers for it, and is reminded of its secrets.",
            "purpose": "What it is for, so that others know if it is still needed.",
        }


class WithSecretForm(ServiceAccountForm):
    """For those who may rotate. A blank secret keeps the one that is set (A02)."""

    new_secret = secret_field(label="Client secret", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["new_secret"].help_text = _secret_help(self.instance)

    def clean_new_secret(self) -> str:
        secret: str = self.cleaned_data["new_secret"]
        if self.instance._state.adding and not secret:
            raise forms.ValidationError(
                "Enter the secret that Globus showed when it was made."
            )
        return secret


def _secret_help(account: ServiceAccount) -> str:
    """When the secret was set and by whom, never what it is."""
    if account._state.adding:
        return "Globus shows it once, after “Add Client Secret”."
    active = account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    if active is None:
        return "None is set."
    day = timezone.localtime(active.created_at).strftime("%-d %B %Y")
    by = active.created_by or "an earlier administrator"
    return (
        f"Set on {day} by {by}. Leave it blank to keep it. What you enter is used at "
        "once; “Secrets and test” lets you try it first."
    )


class TestForm(forms.Form):
    collection = forms.UUIDField(
        label="Collection’s ID", required=False, widget=forms.TextInput
    )
    path = forms.CharField(label="Folder", required=False, max_length=4096)

    def folder(self) -> credential_check.Folder | None:
        """After ``is_valid``."""
        collection = self.cleaned_data.get("collection")
        if collection is None:
            return None
        where = self.cleaned_data.get("path") or "/"
        return credential_check.Folder(collection, where)

    def as_query(self) -> str:
        """After ``is_valid``; nothing if no folder was named."""
        folder = self.folder()
        if folder is None:
            return ""
        named = {"collection": folder.collection_id, "path": folder.path}
        return f"?{urlencode(named)}"


class AddSecretForm(forms.Form):
    label = forms.CharField(
        max_length=100,
        required=False,
        help_text="The label that it has at Globus, so that you find it there.",
    )
    secret = secret_field(label="Client secret")
