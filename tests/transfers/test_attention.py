"""What waits for a person: failed repeats, broken credentials; told once, and gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from unittest import mock
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import (
    broken_credentials,
    credential_check,
    outbox,
    service_accounts,
    webhooks,
)
from accounts.clients import timers_client
from accounts.models import OutboxMessage, ServiceAccountRole
from portal.globus import scopes
from portal.globus.errors import ConsentRequired, CredentialRefused, UnexpectedAnswer
from sandbox import seed
from tests.factories import (
    make_job,
    make_run,
    make_service_account,
    make_token,
    make_user,
)
from tests.flows import consent, go_on, person
from tests.sandbox.waiting import until
from tests.transfers.test_timers import PLAN, TRANSFER, first_run_ends, make, text_of
from transfers import attention, open_matters, timer_checks, timer_instead, timers
from transfers.jobs.models import JobRole, Run
from transfers.models import TimerWatch, Transfer, TroubledTimer
from transfers.timers import Schedule, Timer, TimerRun

pytestmark = pytest.mark.django_db(transaction=True)


def titles(user):
    found = attention.matters(user)
    assert open_matters.count(user) == len(found)
    return [matter.title for matter in found]


# --- repeats


@pytest.fixture
def as_ada(visit):
    return visit("ada")


@pytest.fixture
def timer(as_ada, sandbox):
    """The address of one that copies from a collection that takes a consent."""
    form = {
        **TRANSFER,
        **PLAN,
        "origin_id": seed.RESEARCH,
        "origin_path": "/projects/",
        "timer_form": str(uuid4()),
    }
    return make(as_ada, sandbox, form)


def look(sandbox):
    timer_checks.check(person("ada"))
    return titles(person("ada"))


def test_a_timer_that_waits_for_a_consent_needs_its_owner(
    as_ada, visit, sandbox, timer, mailoutbox
):
    assert TimerWatch.objects.get().next_check_at
    assert look(sandbox) == []
    first_run_ends()
    sandbox.withdraw_consents(
        scope_name=f"https://auth.globus.org/scopes/{seed.RESEARCH}/data_access"
    )
    sandbox.advance(86_400)
    visit("ada")
    until(lambda: look(sandbox), "a pause")
    assert look(sandbox) == ["The timer “Nightly” waits for you"]
    [matter] = attention.matters(person("ada"))
    assert matter.fix == f"{timer}resume/"
    outbox.send_due()
    assert [each.subject for each in mailoutbox] == [
        "The timer “Nightly” waits for you"
    ]

    browser = visit("ada")
    assert 'class="bubble">1<' in text_of(browser.get("/attention/"))
    answer = browser.post(matter.fix)
    if answer.status_code == 403:
        question = consent(browser, sandbox, answer.content.decode(), "ada")
        answer = go_on(browser, question)
    assert answer.status_code == 302, text_of(answer)
    assert titles(person("ada")) == []
    look(sandbox)
    outbox.send_due()
    assert len(mailoutbox) == 1


def test_a_timer_whose_last_run_failed_is_shown_until_one_works(db):
    user = make_user(email="emmy@uni.example")
    now = timezone.now()
    failed = a_timer(now, error="No effective ACL rules on the endpoint")
    for _ in range(2):
        timer_checks.note(user, [failed], now=now)
    assert titles(user) == ["The timer “Nightly” has failed"]
    assert "No effective ACL" in attention.matters(user)[0].says
    assert OutboxMessage.objects.count() == 1

    again = a_timer(now, pk=failed.id, ran_at=now + timedelta(days=1), error="No")
    timer_checks.note(user, [again], now=now)
    assert OutboxMessage.objects.count() == 2
    timer_checks.note(user, [a_timer(now, pk=failed.id)], now=now)
    assert titles(user) == []
    # What was mended before it left is not told any more.
    states = OutboxMessage.objects.order_by("created_at")
    assert [each.state for each in states] == ["waiting", "quiet"]


def test_one_click_sends_what_a_run_did_not(as_ada, sandbox, timer):
    ada = person("ada")
    pk = UUID(timer.strip("/").rpartition("/")[2])
    sandbox.advance(1)
    until(lambda: one_timer(ada, pk).results, "a run")
    found = one_timer(ada, pk)
    failed = replace(
        found, results=(TimerRun(found.results[0].ran_at, None, "", "No"),)
    )
    timer_checks.note(ada, [failed])
    [matter] = attention.matters(ada)
    assert (matter.fix, matter.fix_words) == (f"{timer}once/", "Send it once now")

    before = Transfer.objects.count()
    pages = {as_ada.post(matter.fix)["Location"] for _ in range(2)}
    assert Transfer.objects.count() == before + 1
    [page] = pages
    sent = Transfer.objects.get(pk=page.strip("/").rpartition("/")[2])
    assert sent.document["DATA"] == found.document["DATA"]
    assert (sent.user, sent.source_path) == (ada, "/projects/")
    assert titles(ada) == []
    timer_checks.note(ada, [failed])
    assert titles(ada) == []
    # It has failed as well: the timer's last run still came to nothing.
    Transfer.objects.filter(pk=sent.pk).update(
        status="FAILED", finished_at=timezone.now()
    )
    timer_checks.note(ada, [failed])
    assert "The timer “Nightly” has failed" in titles(ada)


def test_a_timer_that_makes_no_sense_sends_nothing(db):
    user, now = make_user(), timezone.now()
    with pytest.raises(UnexpectedAnswer):
        timer_instead.send(user, a_timer(now, error="No"))
    assert not Transfer.objects.exists()


def one_timer(user, pk):
    return timers.one(timers_client(user), pk)


def a_timer(now, pk=None, ran_at=None, error="", status="active"):
    return Timer(
        id=pk or uuid4(),
        name="Nightly",
        status=status,
        paused_by="",
        requirement=None,
        schedule=Schedule(),
        is_transfer=True,
        document={},
        submitted_at=now,
        last_run_at=ran_at or now,
        next_run_at=None,
        runs=1,
        errors=bool(error),
        is_running=False,
        results=(TimerRun(ran_at or now, None if error else uuid4(), "", error),),
    )


def test_a_timer_that_ended_long_ago_is_no_news(db):
    user, now = make_user(), timezone.now()
    old = now - timedelta(days=4)
    timer_checks.note(
        user, [a_timer(now, ran_at=old, error="No", status="ended")], now=now
    )
    assert titles(user) == []


def test_a_check_is_one_call_and_rests_when_nothing_runs(as_ada, sandbox, timer):
    sandbox.forget_requests()
    timer_checks.check(person("ada"))
    assert len(sandbox.requests("/timer/jobs/")) == 1
    assert TimerWatch.objects.get().next_check_at
    as_ada.post(f"{timer}delete/")
    timer_checks.check(person("ada"))
    assert TimerWatch.objects.get().next_check_at is None


@pytest.mark.parametrize("refused", [False, True])
def test_a_timer_that_is_made_while_globus_is_asked_is_looked_after(
    monkeypatch, refused
):
    """What the check has seen is older."""
    user = make_user()
    make_token(user, resource_server=scopes.TIMERS)
    timer_checks.watch(user)

    def meanwhile(client):
        timer_checks.watch(user)
        if refused:
            raise ConsentRequired(required_scopes=(scopes.TIMERS,))
        return []

    monkeypatch.setattr(timers, "mine", meanwhile)
    timer_checks.check(user)
    assert TimerWatch.objects.get().next_check_at


def test_a_globus_that_is_away_changes_nothing(as_ada, sandbox, timer):
    TroubledTimer.objects.create(
        id=uuid4(), user=person("ada"), name="x", kind="failed", says="No", key="k"
    )
    sandbox.fault("/timer/jobs/", status=503)
    timer_checks.check(person("ada"))
    sandbox.clear_faults()
    assert titles(person("ada")) == ["The timer “x” has failed"]
    assert TimerWatch.objects.get().next_check_at


def test_the_sweep_queues_those_that_are_due_once(messages):
    user = make_user()
    now = timezone.now()
    TimerWatch.objects.create(user=user, next_check_at=now)
    for _ in range(2):
        timer_checks.queue_due(now)
    assert messages() == [("check_timers", str(user.pk))]


def test_nobody_sees_the_timers_of_others(db):
    user, now = make_user(), timezone.now()
    timer_checks.note(user, [a_timer(now, error="No")], now=now)
    assert titles(make_user()) == []


# --- credentials


@pytest.fixture
def account(sandbox):
    owner = make_user(name="Owner", email="owner@uni.example", is_staff=True)
    return make_service_account(name="robot", owner=owner, secret="not the secret")


def use(account):
    from accounts import tokens
    from portal.globus import scopes

    with pytest.raises(CredentialRefused):
        tokens.access_token(account, scopes.TRANSFER)


SAYS = "The secret of the service account “robot” does not work"


def test_a_credential_that_is_refused_needs_those_who_can_mend_it(account, mailoutbox):
    root = make_user(email="root@uni.example", is_staff=True, is_superuser=True)
    holder = make_user(is_staff=True)
    ServiceAccountRole.objects.create(
        service_account=account, user=holder, can_rotate=True
    )
    looker = make_user(is_staff=True)
    ServiceAccountRole.objects.create(
        service_account=account, user=looker, can_view=True
    )
    use(account)

    for _ in range(3):
        broken_credentials.sweep(timezone.now())
        outbox.send_due()
    for somebody in (root, holder, account.owner):
        assert titles(somebody) == [SAYS]
    assert titles(looker) == titles(make_user()) == []
    assert sorted(each.to[0] for each in mailoutbox) == [
        "owner@uni.example",
        "root@uni.example",
    ]
    [matter] = attention.matters(root)
    assert matter.link == reverse(
        "admin:accounts_serviceaccount_secrets", args=[account.pk]
    )
    # Who only answers for it is led to a page that opens, and offered no test.
    [matter] = attention.matters(account.owner)
    assert not matter.fix
    browser = Client()
    browser.force_login(account.owner, backend="accounts.sign_in.GlobusSignIn")
    assert browser.get(matter.link).status_code == 200
    [mail] = [each for each in mailoutbox if each.to == [account.owner.email]]
    assert matter.link in mail.body

    service_accounts.replace_secret(account, seed.HARVEST_CLIENT_SECRET, by=root)
    assert titles(root) == []
    broken_credentials.sweep(timezone.now())
    account.refresh_from_db()
    assert account.broken_told_at is None


def test_a_test_that_fails_counts_until_one_goes_well(account):
    secret = account.secrets.get()
    credential_check.check(secret)
    assert titles(account.owner) == [SAYS]
    secret.seal(seed.HARVEST_CLIENT_SECRET)
    secret.save()
    credential_check.check(secret)
    assert titles(account.owner) == []


def press(user, matter):
    """The one button of a matter, as the page sends it."""
    browser = Client()
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    page = browser.get("/attention/").content.decode()
    assert f'action="{matter.fix}"' in page
    for name, value in matter.fix_fields:
        assert f'name="{name}" value="{value}"' in page
    assert browser.post(matter.fix, dict(matter.fix_fields)).status_code == 302


def test_one_click_tests_a_credential_again_and_mends_it(account):
    root = make_user(is_staff=True, is_superuser=True)
    use(account)
    [matter] = attention.matters(root)
    assert matter.fix_words == "Test it again"
    press(root, matter)
    assert titles(root) == [SAYS]

    secret = account.secrets.get()
    secret.seal(seed.HARVEST_CLIENT_SECRET)
    secret.save()
    press(root, matter)
    assert titles(root) == []


def test_a_network_that_is_away_says_nothing_about_a_credential(account, sandbox):
    sandbox.fault("/oauth2/token", status=503)
    credential_check.check(account.secrets.get())
    assert titles(account.owner) == []


def test_one_that_is_switched_off_needs_nobody(account):
    credential_check.check(account.secrets.get())
    service_accounts.switch_off(account, by=account.owner, reason="x")
    assert titles(account.owner) == []


# --- runs


def test_a_failed_run_is_shown_to_those_who_may_see_its_job(db):
    from django.contrib.auth.models import Group

    owner = make_user(is_staff=True)
    job = make_job(owner=owner, name="secret plans")
    JobRole.objects.create(
        job=job, group=Group.objects.create(name="those"), can_run=True
    )
    run = make_run(job, state="failed", finished_at=timezone.now(), says="No.")
    assert titles(owner) == ["The job “secret plans” failed"]
    [matter] = attention.matters(owner)
    assert matter.fix_words == "Run it again"
    assert titles(make_user(is_staff=True)) == []

    press(owner, matter)
    repeat = Run.objects.get(parent=run)
    assert (repeat.job, repeat.lineage) == (job, "same")
    assert titles(owner) == []


def test_who_may_only_see_a_job_is_not_offered_to_run_it(db):
    from django.contrib.auth.models import Group

    group = Group.objects.create(name="those")
    job = make_job(name="plans")
    JobRole.objects.create(job=job, group=group)
    run = make_run(job, state="failed", finished_at=timezone.now(), says="No.")
    looker = make_user(is_staff=True)
    looker.groups.add(group)
    [matter] = attention.matters(looker)
    assert (matter.fix, matter.link) == ("", f"/jobs/runs/{run.pk}/")


def test_the_webhook_of_a_job_that_takes_nothing_is_shown_until_it_is_set_anew(db):
    owner = make_user(is_staff=True)
    hook, _ = webhooks.make("https://hooks.example.org/x", by=owner)
    job = make_job(owner=owner, name="nightly", webhook=hook)
    assert titles(owner) == []
    for _ in range(webhooks.MOST_FAILURES):
        webhooks.note_outcome(hook, "It answered 500.")
    assert titles(owner) == ["The webhook of the job “nightly” is switched off"]
    assert titles(make_user(is_staff=True)) == []
    browser = Client()
    browser.force_login(owner, backend="accounts.sign_in.GlobusSignIn")
    browser.post(
        f"/jobs/{job.pk}/webhook/", {"do": "set", "url": "https://hooks.example.org/y"}
    )
    assert titles(owner) == []


def test_the_badge_is_asked_for_everybody_with_one_query_that_is_built_once(db):
    """Building it cost every page more of the processor than its own rows."""
    ada, ben = make_user(), make_user()
    timer_checks.note(ben, [a_timer(timezone.now(), error="No")], now=timezone.now())
    open_matters.count(make_user())
    with mock.patch.object(open_matters, "_counts", side_effect=AssertionError):
        assert (open_matters.count(ada), open_matters.count(ben)) == (0, 1)


def test_the_badge_costs_one_query(db, django_assert_max_num_queries):
    user = make_user(is_staff=True)
    account = make_service_account()
    for _ in range(5):
        timer_checks.note(
            user, [a_timer(timezone.now(), error="No")], now=timezone.now()
        )
        make_run(
            make_job(account, owner=user), state="failed", finished_at=timezone.now()
        )
    with django_assert_max_num_queries(1):
        open_matters.count(user)
    browser = Client()
    browser.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    assert browser.get("/attention/").status_code == 200
    assert not mail.outbox
