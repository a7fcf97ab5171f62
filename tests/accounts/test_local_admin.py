"""A04: passwords of local accounts, where they are allowed at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import local_admin
from accounts.models import AuditEvent, User
from portal import env

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    user = User(username="operator", is_staff=True, is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def attempt(password=PASSWORD, *, username="operator", address="192.0.2.7"):
    """Whether that let somebody in, and what the page said."""
    browser = Client(REMOTE_ADDR=address)
    answer = browser.post(
        LOGIN, {"username": username, "password": password, "next": "/admin/"}
    )
    return "_auth_user_id" in browser.session, answer.content.decode()


def test_a04_a_local_account_comes_in_and_it_is_written_down(operator):
    assert attempt()[0]
    event = AuditEvent.objects.get(kind=local_admin.KIND)
    assert (event.outcome, event.actor_id) == ("ok", operator.pk)
    assert event.address == "192.0.2.7"


@pytest.mark.parametrize(
    ("address", "is_on"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("https://portal.example.org", False),
    ],
)
def test_a04_passwords_are_off_unless_the_site_is_on_this_machine(
    monkeypatch, address, is_on
):
    monkeypatch.setenv("PUBLIC_BASE_URL", address)
    monkeypatch.delenv("PORTAL_LOCAL_ADMIN", raising=False)
    host = env.public_base_url().hostname
    assert env.env_bool("PORTAL_LOCAL_ADMIN", default=env.is_loopback(host)) is is_on
    monkeypatch.setenv("PORTAL_LOCAL_ADMIN", "1")
    assert env.env_bool("PORTAL_LOCAL_ADMIN", default=env.is_loopback(host)) is True


def test_a04_where_they_are_off_there_is_no_form_and_no_way_around_it(
    operator, settings
):
    settings.LOCAL_ADMIN = False
    page = Client().get(LOGIN).content.decode()
    assert 'name="password"' not in page
    assert "Sign in with Globus" in page
    assert not attempt()[0]
    assert not AuditEvent.objects.exists()


def test_a04_a_session_of_before_ends_when_they_are_switched_off(operator, settings):
    browser = Client()
    assert browser.login(username="operator", password=PASSWORD) is False, "no request"
    browser.force_login(operator, backend="accounts.local_admin.LocalAdmin")
    assert browser.get("/admin/").status_code == 200
    settings.LOCAL_ADMIN = False
    assert browser.get("/admin/").status_code == 302


def test_a04_five_failures_for_a_name_stop_it_from_everywhere(operator):
    for number in range(5):
        assert not attempt("wrong", address=f"192.0.2.{number}")[0]
    assert not attempt(address="198.51.100.9")[0], "even the right one"
    assert AuditEvent.objects.filter(outcome="refused").count() == 5


def test_a04_five_failures_from_an_address_stop_it_for_every_name(operator):
    for number in range(5):
        assert not attempt("wrong", username=f"name{number}")[0]
    assert not attempt()[0]
    assert attempt(address="198.51.100.9")[0]


def test_a04_four_failures_stop_nobody(operator):
    for _ in range(4):
        attempt("wrong")
    assert attempt()[0]


def test_a04_after_a_quarter_of_an_hour_one_may_try_again(operator, monkeypatch):
    for _ in range(5):
        attempt("wrong")
    later = timezone.now() + timedelta(minutes=15, seconds=1)
    monkeypatch.setattr(local_admin.timezone, "now", lambda: later)
    assert attempt()[0]


def test_a04_all_failures_look_alike(operator):
    clerk = User(username="clerk")
    clerk.set_password(PASSWORD)
    clerk.save()
    pages = [
        attempt("wrong", address="192.0.2.1")[1],
        attempt("wrong", username="nobody", address="192.0.2.2")[1],
        attempt(username="clerk", address="192.0.2.3")[1],  # no staff
    ]
    for _ in range(5):
        attempt("wrong")
    pages.append(attempt()[1])

    def message(page):
        return page.partition('class="errornote"')[2].partition("</p>")[0].split()

    assert message(pages[0])
    assert all(message(page) == message(pages[0]) for page in pages)


def test_a04_what_was_typed_is_written_down_nowhere(operator):
    attempt("CanaryPassword", username="CanaryTypedInTheWrongField")
    shown = str(list(AuditEvent.objects.values()))
    assert "Canary" not in shown


def test_a04_a_person_of_globus_has_no_password_here(operator):
    person = User(username="someone", identity_id=operator.pk)
    person.is_staff = True
    person.set_password(PASSWORD)
    person.save()
    assert not attempt(username="someone")[0]
