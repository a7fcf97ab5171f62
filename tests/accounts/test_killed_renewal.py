"""A renewal that is killed leaves a usable token or a clear "sign in again".

A shorter version of ``make faults ONLY=renewal``.
"""

from __future__ import annotations

import pytest

from accounts.models import AuditEvent, Token
from portal.globus import scopes
from tests.accounts.dying import STEPS
from tests.accounts.killing import (
    TOKEN_ROUTE,
    Left,
    after_vault,
    expire,
    kill,
    wait_for_auth,
)
from tests.stack import database_url

#: Auth has replaced the refresh token, and nobody has the new one any more.
SPENT = STEPS[1:4]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rotating", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_t08_a_renewal_killed_at_any_step_never_loses_the_row(
    sandbox, ada, step, rotating
):
    sandbox.set(rotate_refresh_tokens=rotating)
    expire(ada)
    before = len(sandbox.requests(TOKEN_ROUTE))

    kill(step, "vault", str(ada.pk), {"DATABASE_URL": database_url()})
    wait_for_auth(sandbox, step, before=before)

    lost_its_token = rotating and step in SPENT
    left = Left.NEEDS_SIGN_IN if lost_its_token else Left.USABLE
    assert after_vault(ada) == left
    row = Token.objects.held_for(ada).get(resource_server=scopes.TRANSFER)
    assert row.state == ("needs_sign_in" if lost_its_token else "ok")
    died = AuditEvent.objects.filter(kind="token:refresh:died", credential_id=row.pk)
    assert died.count() == lost_its_token


@pytest.mark.django_db(transaction=True)
def test_a_new_sign_in_mends_what_a_killed_renewal_spent(sandbox, ada, visit):
    sandbox.set(rotate_refresh_tokens=True)
    expire(ada)
    kill("answer read", "vault", str(ada.pk), {"DATABASE_URL": database_url()})
    assert after_vault(ada) == Left.NEEDS_SIGN_IN
    visit("ada")
    assert after_vault(ada) == Left.USABLE
