"""Many at once, and too often; the ids name security.md's section 2."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, RequestFactory
from social_django.models import Association, Nonce, Partial, UserSocialAuth

from accounts import attempts, provider, standing, views
from accounts.models import Allowance, AuditEvent, Session, Token, User
from accounts.sign_in import lock_identity, remember_profile
from portal import limits
from portal.globus.errors import TooMany
from portal.sessions import SessionStore
from portal.tasks import clean_up
from sandbox import seed
from tests.factories import make_user
from tests.flows import begin, come_back, sign_in
from tests.portal.processes import eventually

TOKEN_ROUTE = "/auth/v2/oauth2/token"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)

at_once = pytest.mark.django_db(transaction=True)


@pytest.fixture
def clock():
    """The portal's clock, which the test moves."""

    class Clock:
        now = NOON

        def advance(self, **span):
            self.now += timedelta(**span)

    moved = Clock()
    with mock.patch("django.utils.timezone.now", side_effect=lambda: moved.now):
        yield moved


def six_times(work):
    """Runs ``work(number)`` six times at once; each thread has its own connection."""
    together = threading.Barrier(6)

    def one(number):
        together.wait(30)
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(one, range(6)))


def copy_of(browser):
    """Another tab of the same browser."""
    tab = Client()
    tab.cookies = browser.cookies.copy()
    return tab


@at_once
def test_l02_six_submits_of_one_callback_are_one_token_request(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")

    answers = six_times(lambda number: come_back(copy_of(browser), address))

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [302, 400, 400, 400, 400, 400]
    assert len(sandbox.requests(TOKEN_ROUTE)) == 1
    assert User.objects.count() == 1
    assert Session.objects.filter(user__isnull=False).count() == 1
    assert Partial.objects.count() == 0


@at_once
def test_l22_six_first_sign_ins_at_once_are_one_person(sandbox):
    browsers = [Client() for _ in range(6)]
    addresses = [sandbox.approve(begin(browser), "ada") for browser in browsers]

    answers = six_times(lambda number: come_back(browsers[number], addresses[number]))

    assert [answer.status_code for answer in answers] == [302] * 6
    assert User.objects.count() == 1
    assert UserSocialAuth.objects.count() == 1
    assert Token.objects.count() == 3
    assert len(sandbox.requests(TOKEN_ROUTE)) == 6, "one for each attempt"


@at_once
def test_l22_a_sign_in_waits_for_another_of_the_same_identity(browser, sandbox):
    """The lock itself; one row per identity would be kept by the database as well."""
    address = sandbox.approve(begin(browser), "ada")
    answers = []

    def come_in():
        answers.append(come_back(browser, address))
        connection.close()

    other = threading.Thread(target=come_in)
    with transaction.atomic():
        lock_identity(seed.ADA_ID)
        other.start()
        assert eventually(somebody_waits_for_a_lock)
        assert answers == []
    other.join()
    assert [answer.status_code for answer in answers] == [302]


@at_once
def test_l22_a_deletion_waits_for_a_sign_in_and_takes_it_along(browser, sandbox):
    """It begins in another tab, in the middle of a sign-in that goes on then."""
    sign_in(browser, sandbox, "ada")
    person = User.objects.get()
    address = sandbox.approve(begin(browser), "ada")
    deletion = threading.Thread(target=_delete, args=[person])

    def in_the_middle(**kwargs):
        deletion.start()
        assert eventually(somebody_waits_for_a_lock)
        return remember_profile(**kwargs)

    with mock.patch("accounts.sign_in.remember_profile", in_the_middle):
        answer = come_back(browser, address)
    deletion.join()

    # Whichever of the two came first after the sign-in was stored.
    assert answer.status_code in (302, 400)
    assert not User.objects.exists()
    assert not Token.objects.exists()
    assert not Session.objects.filter(user__isnull=False).exists()
    assert browser.get("/account/").status_code == 302, "signed out"


def _delete(person):
    request = RequestFactory().post("/account/delete/")
    request.user = person
    standing.delete(person, request=request)
    connection.close()


@at_once
def test_l22_an_account_that_is_gone_before_the_end_is_not_signed_in(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")

    def after_a_deletion(request, backend, user):
        _delete(user)
        return login_as_it_is(request, backend, user)

    login_as_it_is = views._login
    with mock.patch.object(views, "_login", after_a_deletion):
        answer = come_back(browser, address)

    assert answer.status_code == 400
    assert "Please start again" in answer.content.decode()
    assert not User.objects.exists()
    assert "_auth_user_id" not in browser.session


@at_once
def test_l13_a_local_account_with_the_id_as_its_name_is_in_nobodys_way(
    browser, sandbox
):
    names = [seed.ADA_ID, f"{seed.ADA_ID}-2"]
    local = [User.objects.create_user(name, password="x") for name in names]

    assert sign_in(browser, sandbox, "ada").status_code == 302

    person = User.objects.get(identity_id=seed.ADA_ID)
    assert person not in local
    assert str(person) == "Ada Lovelace"
    assert [User.objects.get(pk=one.pk).username for one in local] == names


def test_l18_a_callback_has_so_long_in_all(browser, sandbox, db):
    """Each answer comes in its time, all together do not."""
    address = sandbox.approve(begin(browser), "ada")
    sandbox.latency("/v2/oauth2/*", 0.4)
    with mock.patch.object(views, "CALLBACK_SECONDS", 0.6):
        answer = come_back(browser, address)
    assert answer.status_code == 504
    assert "took too long" in answer.content.decode()
    assert (User.objects.count(), Token.objects.count()) == (0, 0)
    assert provider.TOTAL_SECONDS > 0.4, "each by itself is quick enough"


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        return cursor.fetchone()[0] > 0


@at_once
def test_l02_a_state_of_31_minutes_ago_is_refused(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    later = datetime.now(UTC).timestamp() + 31 * 60
    with mock.patch("social_core.backends.oauth._time", return_value=later):
        answer = come_back(browser, address)
    assert answer.status_code == 400
    assert sandbox.requests(TOKEN_ROUTE) == []
    assert "_auth_user_id" not in browser.session
    assert User.objects.count() == 0


@at_once
def test_l02_a_replay_is_told_from_a_state_of_nobody(browser, sandbox):
    address = sandbox.approve(begin(browser), "ada")
    come_back(browser, address)
    thief = Client()
    assert come_back(thief, address).status_code == 400
    assert come_back(thief, address + "x").status_code == 400
    kinds = AuditEvent.objects.order_by("id").values_list("kind", "outcome")
    assert list(kinds) == [
        ("person:session:sign-in", "ok"),
        ("person:session:replay", "refused"),
        ("person:session:sign-in", "refused"),
    ]
    [state] = [
        part[6:] for part in address.split("?")[1].split("&") if "state=" in part
    ]
    assert not AuditEvent.objects.filter(detail__icontains=state).exists()


# --- L29


def begins(browser, **options):
    return browser.post("/login/globus/", **options)


def rows_of_attempts():
    return (
        Nonce.objects.count(),
        Association.objects.count(),
        Session.objects.count(),
    )


@pytest.mark.django_db
def test_l29_ten_begins_a_minute_from_one_address(sandbox, clock):
    assert [begins(Client()).status_code for _ in range(10)] == [200] * 10
    before = rows_of_attempts()

    answer = begins(Client())

    assert answer.status_code == 429
    assert answer["Retry-After"] == "61"
    assert "too many sign-ins" in answer.content.decode()
    assert rows_of_attempts() == before
    assert begins(Client(REMOTE_ADDR="192.0.2.7")).status_code == 200

    clock.advance(seconds=59)
    assert begins(Client()).status_code == 429, "what is refused does not count"
    clock.advance(seconds=1)
    assert begins(Client()).status_code == 200


@pytest.mark.django_db
def test_l29_sixty_begins_an_hour_from_one_address(sandbox, clock):
    for _ in range(6):
        assert [begins(Client()).status_code for _ in range(10)] == [200] * 10
        clock.advance(seconds=61)
    answer = begins(Client())
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) == 3600 - 6 * 61 + 1
    clock.advance(hours=1)
    assert begins(Client()).status_code == 200


@pytest.mark.django_db
def test_l29_twenty_callbacks_a_minute_from_one_address(sandbox, clock):
    junk = "/complete/globus/?code=a&state=b"
    assert [Client().get(junk).status_code for _ in range(20)] == [400] * 20
    answer = Client().get(junk)
    assert (answer.status_code, answer["Retry-After"]) == (429, "61")
    assert AuditEvent.objects.count() == 20, "no rows for what is too often"
    assert Session.objects.count() == 0
    clock.advance(minutes=1)
    assert Client().get(junk).status_code == 400


@pytest.mark.django_db
def test_l29_where_more_may_begin_more_may_come_back(settings):
    """A campus that goes out through one address sets one number, not two."""
    settings.SIGN_INS_PER_MINUTE = 12
    answers = [Client().get("/complete/globus/") for _ in range(25)]
    assert [each.status_code for each in answers] == [400] * 24 + [429]


@pytest.mark.django_db
def test_l29_five_open_attempts_in_one_browser(browser, sandbox, clock):
    addresses = [begin(browser) for _ in range(5)]
    before = rows_of_attempts()

    answer = begins(browser)

    assert (answer.status_code, answer["Retry-After"]) == (429, "1800")
    assert "were not finished" in answer.content.decode()
    assert rows_of_attempts() == before
    assert begins(Client()).status_code == 200, "another browser may"

    denied = sandbox.approve(addresses[2], "ada", allow=False)
    assert come_back(browser, denied).status_code == 403
    assert begins(browser).status_code == 200, "one came back, so there is room"
    assert begins(browser).status_code == 429

    clock.advance(minutes=31)
    assert begins(browser).status_code == 200


@pytest.mark.django_db
def test_l29_an_outage_leaves_no_attempt_open(browser, sandbox):
    """Django stores no session with an answer of 5xx; this must be stored."""
    sandbox.fault(TOKEN_ROUTE, status=503)
    for _ in range(7):
        assert sign_in(browser, sandbox, "ada").status_code == 503


@pytest.mark.django_db
def test_l29_people_of_one_address_do_not_use_up_each_others_allowance(sandbox):
    everybody = [Client() for _ in range(3)]
    for browser in everybody:
        browser.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    for browser in everybody:
        for _ in range(4):
            assert begins(browser).status_code == 200


@at_once
def test_l29_processes_share_one_count(rf):
    """Six at once, and room for four."""
    request = rf.get("/")
    request.user = None
    four = (limits.Limit(4, limits.MINUTE),)

    def work(number):
        try:
            limits.take("x", request, four)
        except TooMany:
            return False
        return True

    assert sorted(six_times(work)) == [False] * 2 + [True] * 4
    assert len(Allowance.objects.get().taken) == 4


@pytest.mark.django_db
def test_l29_a_clock_that_was_set_back_locks_nobody_out(rf, clock):
    request = rf.get("/")
    request.user = None
    one = (limits.Limit(1, limits.MINUTE),)
    limits.take("x", request, one)
    with pytest.raises(TooMany):
        limits.take("x", request, one)
    clock.advance(days=-1)
    limits.take("x", request, one)
    assert len(Allowance.objects.get().taken) == 1


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("evil", "unknown"),
    ],
)
def test_l29_what_counts_as_one_address(address, counted):
    assert limits.network_of(address) == counted


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("behind", "header", "counted"),
    [
        (False, "198.51.100.9", "127.0.0.1"),
        (True, "198.51.100.9", "198.51.100.9"),
        (True, "10.0.0.1, 198.51.100.9", "198.51.100.9"),
        (True, "198.51.100.9, evil", "127.0.0.1"),
        (True, "", "127.0.0.1"),
        (True, "2001:db8::1", "2001:db8::/64"),
    ],
)
def test_l29_behind_a_proxy_its_word_for_the_address_counts(
    settings, behind, header, counted
):
    """The last one: all before it was sent by the browser."""
    settings.BEHIND_TLS_PROXY = behind
    Client(HTTP_X_FORWARDED_FOR=header).get("/complete/globus/?code=a&state=b")
    assert Allowance.objects.get().key == f"callback:address:{counted}"
    address = AuditEvent.objects.get().address
    assert address is not None
    assert limits.network_of(address) == counted


# --- L30


@pytest.mark.django_db
def test_l30_what_nobody_came_back_to_is_gone_after_a_day(browser, sandbox):
    begin(browser)
    assert rows_of_attempts() == (1, 1, 1)
    clean_up()
    assert rows_of_attempts() == (1, 1, 1), "it can still be finished"

    two_days = timedelta(days=2)
    Nonce.objects.update(timestamp=int((datetime.now(UTC) - two_days).timestamp()))
    Association.objects.update(
        issued=int((datetime.now(UTC) - two_days).timestamp()), lifetime=1800
    )
    Session.objects.update(expire_date=datetime.now(UTC) - timedelta(seconds=1))
    Allowance.objects.update(last_at=datetime.now(UTC) - two_days)
    clean_up()

    assert rows_of_attempts() == (0, 0, 0)
    assert Allowance.objects.count() == 0


@pytest.mark.django_db
def test_l30_sessions_that_ended_are_gone(client, clock):
    ada, grace = make_user(), make_user(is_staff=True)
    for user in (ada, grace):
        client.force_login(user, backend="accounts.sign_in.GlobusSignIn")
        client.cookies.clear()
    clock.advance(hours=1)
    clean_up()
    assert [row.user for row in Session.objects.all()] == [ada]
    clock.advance(hours=11)
    clean_up()
    assert Session.objects.count() == 0


def test_l30_beat_sends_it_every_day():
    entry = settings.CELERY_BEAT_SCHEDULE["clean-up"]
    assert entry["task"] == clean_up.name
    assert isinstance(entry["schedule"], crontab)
    assert len(entry["schedule"].hour) == 4


@pytest.mark.django_db
def test_two_tabs_do_not_come_out_at_each_others_pages():
    session = SessionStore()
    one, two = attempts.begin(next="/one/"), attempts.begin(next="/two/", fresh=True)
    attempts.remember(session, "a", one)
    attempts.remember(session, "b", two)
    assert attempts.close(session, "a") == one
    assert attempts.close(session, "a") is None
    assert attempts.close(session, "b") == two
