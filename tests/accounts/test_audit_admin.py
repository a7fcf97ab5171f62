"""A05: the audit as administrators read, search and export it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.admin import audit as audit_admin
from accounts.models import AuditEvent
from tests.factories import make_service_account, make_user

LIST = "/admin/accounts/auditevent/"

pytestmark = pytest.mark.django_db


def signed_in(user):
    browser = Client()
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    return browser


@pytest.fixture
def root():
    return signed_in(make_user(name="Robin Root", is_staff=True, is_superuser=True))


def text_of(answer):
    return answer.content.decode()


def file_of(answer):
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def export(browser, form, query=""):
    address = reverse("admin:accounts_auditevent_export", args=[form])
    return browser.post(f"{address}{query}")


def reader(*permissions):
    user = make_user(is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return signed_in(user)


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        ("anonymous", False),
        ("researcher", False),
        ("staff", False),
        ("auditor", True),
        ("root", True),
    ],
)
def test_who_may_read_and_export(root, who, sees):
    audit.record("person:session:sign-in", owner=make_user(name="Secretive Sam"))
    browser = {
        "anonymous": Client,
        "researcher": lambda: signed_in(make_user()),
        "staff": reader,
        "auditor": lambda: reader("view_auditevent"),
        "root": lambda: root,
    }[who]()
    page = browser.get(LIST)
    assert ("Secretive Sam" in text_of(page)) is sees
    answer = export(browser, "csv")
    assert (answer.status_code == 200) is sees
    if sees:
        assert "Secretive Sam" in file_of(answer)


def test_nobody_changes_or_deletes_an_entry(root):
    event = audit.record("person:session:sign-in")
    for name in ("change", "delete"):
        address = reverse(f"admin:accounts_auditevent_{name}", args=[event.pk])
        answer = root.post(address, {"kind": "x", "post": "yes"})
        assert answer.status_code == 403
    assert root.get(f"{LIST}add/").status_code == 403
    root.post(LIST, {"action": "delete_selected", "_selected_action": [event.pk]})
    assert AuditEvent.objects.get(pk=event.pk).kind == "person:session:sign-in"


def test_entries_are_filtered(root):
    audit.record("person:session:sign-in", outcome=audit.Outcome.REFUSED)
    audit.record("service-account:secret:test")
    refused = text_of(root.get(f"{LIST}?outcome__exact=refused"))
    assert "person:session:sign-in" in refused
    assert "service-account:secret:test" not in refused
    secrets = text_of(root.get(f"{LIST}?area=service-account"))
    assert "service-account:secret:test" in secrets
    assert "person:session:sign-in" not in secrets
    day = AuditEvent.objects.get(kind="service-account:secret:test").at
    days = f"?at__year={day.year}&at__month={day.month}&at__day={day.day}"
    assert "service-account:secret:test" in text_of(root.get(LIST + days))
    assert "service-account:secret:test" not in text_of(
        root.get(f"{LIST}?at__year=2020")
    )


def test_entries_are_found_by_what_they_are_about(root, rf):
    emmy, account = make_user(name="Emmy Noether"), make_service_account()
    request = rf.get("/", REMOTE_ADDR="192.0.2.44")
    request.user, request.request_id = emmy, "abcdef012345"
    event = audit.record(
        "service-account:secret:test",
        request=request,
        owner=account,
        credential_id=account.secrets.get().pk,
    )
    audit.record("person:other:thing")
    terms = [
        "noether",
        "Emmy",
        str(emmy.pk),
        str(account.pk),
        account.owner_key,
        str(event.credential_id),
        "192.0.2.44",
        "abcdef012345",
        "service-account:secret",
        account.name,
    ]
    for term in terms:
        found = text_of(root.get(LIST, {"q": term}))
        assert "service-account:secret:test" in found, term
        assert "person:other:thing" not in found, term
    for term in ("' OR 1=1", "%", "\x00", "\ud800", "a" * 5000, "::", "…"):
        found = root.get(LIST, {"q": term.encode("utf-8", "replace").decode()})
        assert found.status_code == 200


def test_a_page_costs_a_fixed_number_of_queries(root):
    def queries():
        with connection.execute_wrapper(counting := Counting()):
            assert root.get(LIST).status_code == 200
        return counting.n

    audit.record("person:session:sign-in", actor=make_user(), owner=make_user())
    few = queries()
    for _ in range(60):
        audit.record("person:session:sign-in", actor=make_user(), owner=make_user())
    assert queries() == few <= 14


class Counting:
    n = 0

    def __call__(self, execute, sql, params, many, context):
        self.n += 1
        return execute(sql, params, many, context)


def test_no_page_counts_every_row(root, monkeypatch):
    monkeypatch.setattr(audit_admin, "MOST_COUNTED", 60)
    AuditEvent.objects.bulk_create(
        AuditEvent(kind="person:session:sign-in") for _ in range(200)
    )
    shown = text_of(root.get(LIST))
    assert "These are the latest 60 that fit" in shown
    assert root.get(f"{LIST}?p=2").status_code == 200
    with connection.execute_wrapper(seen := Statements()):
        root.get(LIST)
    counts = [sql for sql in seen.found if "COUNT(" in sql and "auditevent" in sql]
    assert counts
    assert all("LIMIT 60" in sql for sql in counts)


class Statements:
    def __init__(self):
        self.found = []

    def __call__(self, execute, sql, params, many, context):
        self.found.append(sql % tuple(params) if params else sql)
        return execute(sql, params, many, context)


# --- exports


def test_an_export_holds_what_the_list_shows_oldest_first(root):
    for number in range(60):
        audit.record("person:session:sign-in", number=number)
    audit.record("service-account:secret:test")
    rows = [*csv.DictReader(io.StringIO(file_of(export(root, "csv", "?area=person"))))]
    assert [json.loads(row["detail"])["number"] for row in rows] == [*range(60)]
    lines = file_of(export(root, "jsonl", "?area=person")).splitlines()
    parsed = [json.loads(line) for line in lines]
    assert [row["detail"]["number"] for row in parsed] == [*range(60)]
    assert parsed[0]["id"] == AuditEvent.objects.order_by("pk").first().pk
    assert parsed[0]["at"].endswith("+00:00")


def test_an_export_is_an_entry_and_not_in_itself(root):
    audit.record("person:session:sign-in")
    text = file_of(export(root, "csv", "?area=person&q=x%00y"))
    assert "audit:entries:export" not in text
    event = AuditEvent.objects.get(kind="audit:entries:export")
    assert event.actor_name == "Robin Root"
    assert event.detail["form"] == "csv"
    assert event.detail["filters"]["area"] == "person"


def test_w04_no_cell_is_a_formula(root):
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx"):
        audit.record("person:session:sign-in", owner=make_user(name=name))
    rows = [*csv.DictReader(io.StringIO(file_of(export(root, "csv"))))]
    assert len(rows) == 5
    assert all(row["owner_name"].startswith("'") for row in rows)
    assert not [
        cell
        for row in rows
        for cell in row.values()
        if cell.startswith(tuple("=+-@\t"))
    ]


@pytest.mark.parametrize(
    "query",
    [
        "no_such_column=1",
        "at__year=0",
        "at__year=2026&at__month=13",
        "at__gte=yesterday",
        "actor_id__exact=x",
        "outcome__exact=%00",
        "%00=1",
    ],
)
def test_a_filter_that_makes_no_sense_breaks_nothing_and_exports_nothing(root, query):
    assert root.get(f"{LIST}?{query}", follow=True).status_code in (200, 400)
    answer = export(root, "csv", f"?{query}")
    assert answer.status_code == 400
    assert not AuditEvent.objects.filter(kind="audit:entries:export").exists()


def test_an_export_is_a_post_of_a_known_form(root):
    address = reverse("admin:accounts_auditevent_export", args=["csv"])
    assert root.get(address).status_code == 404
    assert export(root, "xlsx").status_code == 404
    assert not AuditEvent.objects.exists()


def test_an_export_is_streamed(root, monkeypatch):
    monkeypatch.setattr(audit_admin, "EXPORT_CHUNK", 10)
    AuditEvent.objects.bulk_create(AuditEvent(kind="x:y:z") for _ in range(55))
    answer = export(root, "jsonl")
    assert answer.streaming
    assert len(file_of(answer).splitlines()) == 55


def test_hostile_text_is_shown_as_text(root):
    hostile = '<img src=x onerror=alert(1)>"{{7*7}}\u202e'
    audit.record("person:session:sign-in", owner=make_user(name=hostile), x=hostile)
    shown = text_of(root.get(LIST))
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown


def test_old_entries_stay(root):
    AuditEvent.objects.create(
        kind="x:y:z", at=datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=1)
    )
    assert "x:y:z" in text_of(root.get(f"{LIST}?at__year=2020"))
