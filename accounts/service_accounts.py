"""Service accounts: their secrets, taken in and replaced."""

from django.db import transaction
from django.utils import timezone

from accounts.models import ServiceAccount, ServiceAccountSecret, Token, User


def replace_secret(account: ServiceAccount, secret: str, *, by: User | None) -> None:
    """Retires the active secret and takes in a new one; tokens of the old one go."""
    with transaction.atomic():
        ServiceAccount.objects.select_for_update().get(pk=account.pk)
        account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).update(
            state=ServiceAccountSecret.State.RETIRED
        )
        row = ServiceAccountSecret(
            service_account=account,
            label=f"entered {timezone.now():%Y-%m-%d %H:%M} UTC",
            state=ServiceAccountSecret.State.ACTIVE,
            created_by=by,
        )
        row.seal(secret)
        row.save()
        Token.objects.held_for(account).delete()
