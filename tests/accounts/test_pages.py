"""The pages of sign-in and of oneself."""

import re

import pytest
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import path

from accounts.models import Token
from sandbox import seed
from tests.factories import make_token, make_user
from tests.flows import begin


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def as_ada(transactional_db, visit):
    return visit("ada")


@pytest.mark.django_db
def test_the_page_in_front_has_one_button_and_keeps_where_to_go(client):
    answer = client.get("/login/?next=/transfers/%3Fstatus%3Dfailed")
    page = text_of(answer)
    assert page.count("Sign in with Globus") == 1
    assert 'action="/login/globus/"' in page
    assert 'value="/transfers/?status=failed"' in page
    assert "'self'" in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_the_page_on_the_way_leads_to_globus_with_and_without_waiting(client, sandbox):
    address = begin(client, next="/")
    assert address.startswith(sandbox.url)
    page = client.post("/login/globus/", {"next": "/"}).content.decode()
    assert re.search(r'<meta http-equiv="refresh" content="0; url=http', page)
    assert re.search(r'<a class="btn btn-primary" href="http', page)
    assert "&amp;state=" in page or "&amp;response_type=" in page


@pytest.mark.django_db
def test_sign_out_is_a_form_and_offers_globus(client, sandbox):
    client.force_login(make_user(), backend="accounts.sign_in.GlobusSignIn")
    home = text_of(client.get("/"))
    assert '<form method="post" action="/logout/">' in home
    page = text_of(client.post("/logout/"))
    assert "You are signed out" in page
    assert "/v2/web/logout" in page
    assert client.get("/").status_code == 302


def test_the_account_page_tells_rights_in_words_and_no_token(as_ada):
    page = text_of(as_ada.get("/account/"))
    assert seed.ADA in page
    assert seed.ADA_LAB in page
    assert "list folders, and start and watch transfers" in page
    assert "urn:globus" not in page
    for token in Token.objects.all():
        assert token.access_token().reveal() not in page
        refresh = token.refresh_token()
        assert refresh is not None
        assert refresh.reveal() not in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("ok", "Works"),
        ("backing_off", "Waiting for Globus Auth"),
        ("needs_sign_in", "Needs a new sign-in"),
        ("revoked", "Revoked"),
    ],
)
def test_every_state_of_a_token_is_said(client, state, words):
    user = make_user()
    make_token(user, state=state)
    client.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    assert words in text_of(client.get("/account/"))


@pytest.mark.django_db
def test_a_consent_names_its_collection(client):
    user = make_user()
    token = make_token(user)
    Token.objects.filter(pk=token.pk).update(
        scope="urn:globus:auth:scope:transfer.api.globus.org:all"
        f"[*https://auth.globus.org/scopes/{seed.RESEARCH}/data_access]"
    )
    client.force_login(user, backend="accounts.sign_in.GlobusSignIn")
    assert f"also the data on collection {seed.RESEARCH}" in text_of(
        client.get("/account/")
    )


def test_groups_are_a_table_and_a_file(as_ada):
    page = text_of(as_ada.get("/groups/"))
    assert "Genomics, spring campaign" in page
    assert 'href="/groups.csv"' in page
    assert as_ada.get("/groups.csv").status_code == 200


def test_groups_that_cannot_be_read_are_not_no_groups(as_ada, sandbox):
    sandbox.fault("/my_groups", status=503)
    answer = as_ada.get("/groups/")
    assert answer.status_code == 503
    assert "You are in no group yet" not in text_of(answer)
    assert "Try again" in text_of(answer)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/complete/globus/?state=wrong&code=x",
        "/complete/globus/",
        "/nothing-here/",
    ],
)
def test_failures_say_what_to_do_and_what_to_quote(client, sandbox, address):
    answer = client.get(address)
    assert answer.status_code in (400, 404)
    page = text_of(answer)
    assert answer["X-Request-Id"] in page
    assert "ign in" in page
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def breaks(request):
    raise ZeroDivisionError


breaks.login_required = False  # type: ignore[attr-defined]


def finds_no_database(request):
    raise OperationalError


finds_no_database.login_required = False  # type: ignore[attr-defined]


class urls:
    """Stands for a module of addresses: two that break, beside the portal's."""

    from portal.urls import handler500, urlpatterns

    urlpatterns = [
        path("breaks/", breaks),
        path("no-database/", finds_no_database),
        *urlpatterns,
    ]


@pytest.mark.django_db
def test_a_mistake_of_ours_has_a_page_that_needs_nothing():
    client = Client(raise_request_exception=False)
    with override_settings(ROOT_URLCONF=urls):
        answer = client.get("/breaks/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in text_of(answer)
    assert "default-src 'none'" in answer["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_page_without_a_database(client):
    with override_settings(ROOT_URLCONF=urls):
        answer = client.get("/no-database/")
    assert answer.status_code == 503
    assert "Its database does not answer" in text_of(answer)


@pytest.mark.django_db
def test_the_admins_login_offers_globus_beside_the_local_form(client):
    page = text_of(client.get("/admin/login/?next=/admin/"))
    assert 'action="/login/globus/"' in page
    assert 'name="next" value="/admin/"' in page
    assert 'name="password"' in page
