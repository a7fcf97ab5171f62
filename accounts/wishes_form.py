"""The form in which people say how they want to be told of what happens."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone

from accounts.models import User, Wishes
from accounts.wishes import EVENTS

ZONES = available_timezones()
HOURS = [(hour, f"{hour:02}:00") for hour in range(24)]


class WishesForm(forms.ModelForm[Wishes]):
    mail = forms.ChoiceField(
        label="Mail",
        choices=Wishes.Mail.choices,
        widget=forms.Select(attrs={"class": "form-control"}),
    )
    digest_hour = forms.TypedChoiceField(
        label="Hour of the daily mail",
        choices=HOURS,
        coerce=int,
        widget=forms.Select(attrs={"class": "form-control"}),
    )
    zone = forms.CharField(
        label="Your time zone",
        max_length=64,
        help_text="As in “Europe/London”.",
        widget=forms.TextInput(attrs={"class": "form-control", "spellcheck": "false"}),
    )
    events = forms.MultipleChoiceField(
        label="Tell me when", choices=EVENTS.items(), required=False
    )

    class Meta:
        model = Wishes
        fields = ("mail", "digest_hour", "zone", "events")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.next_digest_at is None and not self.is_bound:
            # A script puts the person's own zone here.
            self.fields["zone"].widget.attrs["data-zone"] = ""

    def clean_zone(self) -> str:
        name: str = self.cleaned_data["zone"].strip()
        if name not in ZONES:
            raise forms.ValidationError(
                "There is no such time zone. Write it as in “Europe/London”."
            )
        return name

    def save_for(self, user: User) -> Wishes:
        """What was held back for a digest that is not wanted any more leaves soon."""
        now = timezone.now()
        had_digest = Wishes.objects.filter(user=user, next_digest_at__isnull=False)
        is_digest = self.cleaned_data["mail"] == Wishes.Mail.DIGEST
        at_once = now if had_digest.exists() else None
        wishes = Wishes(**self.cleaned_data)
        wishes, _ = Wishes.objects.update_or_create(
            user=user,
            defaults=self.cleaned_data
            | {"next_digest_at": wishes.digest_after(now) if is_digest else at_once},
        )
        return wishes
