"""What work in the background needs of a person: told once, mended by one button."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import notices
from accounts.models import (
    OutboxMessage,
    PendingAction,
    RequirementNotice,
    Token,
)
from accounts.tasks import send_messages
from portal.globus.errors import SignInRequired
from portal.globus.requirements import Requirement
from portal.globus.scopes import with_data_access
from sandbox import seed
from tests.factories import make_transfer, make_user
from tests.flows import (
    REFRESH,
    come_back,
    person,
    scopes_asked,
    sign_in,
)
from transfers import monitoring, needs, submission, tasks
from transfers.models import Transfer

pytestmark = pytest.mark.django_db(transaction=True)

CONSENT = Requirement(collections=(UUID(seed.TUTORIAL_1),))


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def told(messages):
    """``told()``: the messages in the outbox, the first one first."""
    return lambda: list(OutboxMessage.objects.order_by("created_at"))


def waiting(**fields):
    """A transfer of ada's that the worker could not send for want of a consent."""
    transfer = make_transfer(person("ada"), **fields)
    tasks.send_transfer(str(transfer.pk))
    transfer.refresh_from_db()
    assert transfer.status == "WAITING"
    return transfer


def pressed(browser, address, **fields):
    """The address at Globus behind a button that leads there at once (307)."""
    answer = browser.post(address, fields, follow=True)
    match = REFRESH.search(answer.content.decode())
    assert match, answer.content.decode()
    return match[1].replace("&amp;", "&")


def test_a_worker_that_lacks_a_consent_mails_once(as_ada, messages, mailoutbox):
    transfer = waiting()
    tasks.send_transfer(str(transfer.pk))
    assert messages().count(("send_messages",)) == 1
    for _ in range(2):
        send_messages()

    [message] = mailoutbox
    assert message.content_subtype == "plain"
    assert message.to == [person("ada").email]
    assert "“Globus Tutorial Collection 1”" in message.body
    assert "http://localhost:8000/attention/" in message.body


def test_one_mail_for_one_requirement_however_much_waits(as_ada, told):
    for _ in range(3):
        waiting()
    assert len(told()) == 1


def test_two_workers_with_the_same_notice_send_one_mail(as_ada, told, mailoutbox):
    waiting()
    start = threading.Barrier(4)

    def work():
        start.wait()
        send_messages()
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(mailoutbox) == 1


def test_workers_that_notice_it_at_once_put_in_one_message(as_ada, told):
    ada = person("ada")
    start = threading.Barrier(4)

    def work():
        start.wait()
        notices.tell(ada, CONSENT, "words", path="/attention/")
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(told()) == 1


def test_after_a_sign_in_a_new_requirement_is_told_anew(as_ada, told, sandbox):
    waiting()
    sign_in(Client(), sandbox, "ada")  # without the consent
    transfer = Transfer.objects.get()
    assert transfer.status == "NEW"
    tasks.send_transfer(str(transfer.pk))
    assert RequirementNotice.objects.filter(settled_at=None).count() == 1
    # The first one was mended before it left, so nobody is bothered with it.
    assert [each.state for each in told()] == ["quiet", "waiting"]


def test_nobody_is_mailed_where_it_is_switched_off(as_ada, told, settings):
    settings.MAIL_WHEN_NEEDED = False
    waiting()
    assert not told()
    assert not RequirementNotice.objects.exists()


@pytest.mark.parametrize("email", ["", "x", "a@b\nBcc: c@d.example"])
def test_nobody_is_mailed_without_a_sound_address(told, mailoutbox, email, db):
    notices.tell(make_user(email=email), CONSENT, "words", path="/attention/")
    send_messages()
    assert not mailoutbox
    assert [each.state for each in told()] == ["quiet"]


def test_the_monitor_tells_of_a_dead_sign_in_once(as_ada, told):
    ada = person("ada")
    make_transfer(ada, status="ACTIVE")
    Token.objects.update(state=Token.State.NEEDS_SIGN_IN)
    for _ in range(2):
        monitoring.poll(ada)
    assert len(told()) == 1
    assert "Sign in again" in RequirementNotice.objects.get().says


def test_a_task_that_globus_stopped_for_its_owner_is_told_once(as_ada, told, sandbox):
    transfer = make_transfer(person("ada"), status="ACTIVE")
    row = {
        "task_id": str(transfer.task_id),
        "status": "INACTIVE",
        "type": "TRANSFER",
        "request_time": "2026-01-01T00:00:00+00:00",
    }
    sandbox.fault("/task_list", status=200, body={"DATA": [row]}, times=2)
    for _ in range(2):
        monitoring.poll(person("ada"))
    transfer.refresh_from_db()
    assert transfer.status == "INACTIVE"
    assert len(told()) == 1


def test_a_service_account_is_no_person_to_mail(service_account, told):
    needs.tell(service_account, SignInRequired(), says="words")
    assert not told()


@pytest.mark.parametrize("page", ["/attention/", "/"])
def test_what_waits_is_listed_with_the_button(as_ada, told, page):
    transfer = waiting()
    shown = as_ada.get(page).content.decode()
    assert f'action="/transfers/{transfer.pk}/way-on/"' in shown
    assert "Give consent" in shown
    assert "Globus Tutorial Collection 1" in shown


def test_the_button_leads_to_globus_and_the_transfer_goes_on(as_ada, sandbox, told):
    transfer = waiting()
    address = pressed(as_ada, f"/transfers/{transfer.pk}/way-on/")
    wanted = sorted([seed.TUTORIAL_1, *transfer.required_collections])[:1]
    assert scopes_asked(address) == with_data_access(wanted)

    back = come_back(as_ada, sandbox.approve(address, "ada"))
    there = as_ada.get(back["Location"])

    assert there["Location"] == f"/transfers/{transfer.pk}/"
    transfer.refresh_from_db()
    assert transfer.status == "NEW", "it is on its way by itself"


def test_a_session_requirement_of_a_transfer(as_ada, sandbox, told):
    body = {
        "code": "AuthPolicyFailed",
        "message": "no",
        "authorization_parameters": {
            "session_required_mfa": True,
            "session_required_policies": f"{seed.POLICY_MFA},x&y",
        },
    }
    sandbox.fault("/transfer", method="POST", status=403, body=body, times=1)
    transfer = waiting()
    assert "policy" in transfer.waiting_reason or "factor" in transfer.waiting_reason
    address = pressed(as_ada, f"/transfers/{transfer.pk}/way-on/")
    assert f"session_required_policies={seed.POLICY_MFA}&" in f"{address}&"
    back = come_back(as_ada, sandbox.approve(address, "ada", mfa=True))
    assert as_ada.get(back["Location"])["Location"] == f"/transfers/{transfer.pk}/"


def test_a_dead_sign_in_has_its_button_in_the_list(as_ada, told):
    Token.objects.update(state=Token.State.NEEDS_SIGN_IN)
    page = as_ada.get("/attention/").content.decode()
    assert 'action="/login/globus/"' in page
    assert "Sign in again" in page


def test_a_transfer_that_asks_again_for_what_was_granted_is_explained(
    as_ada, sandbox, told
):
    body = {
        "code": "AuthorizationRequired",
        "authorization_parameters": {"prompt": "login"},
    }
    sandbox.fault("/transfer", method="POST", status=403, body=body, times=2)
    transfer = waiting()
    address = pressed(as_ada, f"/transfers/{transfer.pk}/way-on/")
    back = come_back(as_ada, sandbox.approve(address, "ada"))
    as_ada.get(back["Location"])
    tasks.send_transfer(str(transfer.pk))

    answer = as_ada.post(f"/transfers/{transfer.pk}/way-on/", follow=True)

    assert "asks for the same again" in answer.content.decode()
    assert not REFRESH.search(answer.content.decode())


def test_somebody_elses_transfer_has_no_way_on(as_ada, visit, told):
    transfer = waiting()
    assert visit("grace").post(f"/transfers/{transfer.pk}/way-on/").status_code == 404
    assert not PendingAction.objects.exists()


def test_the_way_on_is_a_post(as_ada, told):
    address = reverse("transfers:way_on", args=[waiting().pk])
    assert as_ada.get(address).status_code == 405


def test_a_stored_requirement_that_is_odd_brings_nothing(as_ada):
    transfer = make_transfer(
        person("ada"),
        status="WAITING",
        session_parameters={"session_required_identities": "a&b", "prompt": "none"},
        required_collections=["x", seed.RESEARCH],
    )
    assert transfer.requirement.authorize_parameters() == {}
    assert [str(each) for each in transfer.requirement.collections] == [seed.RESEARCH]
    assert submission.resume(transfer)
