"""Sharing folders of a guest collection, by who manages it."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.clients import transfer_client
from portal.globus.errors import UnexpectedAnswer
from sandbox import seed
from tests.flows import person
from transfers import sharing

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = f"/collections/{seed.SHARED}/sharing/"
WITH_MALLORY = {
    "path": "/field notes/",
    "whom": "identity",
    "username": seed.MALLORY,
    "may": "r",
}


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def as_grace(visit):
    return visit("grace")


def rules(path=None):
    found = sharing.rules(transfer_client(person("grace")), seed.SHARED)
    return [each for each in found if path in (None, each.path)]


def test_the_rules_stand_with_names(as_grace):
    page = text_of(as_grace.get(PAGE))
    assert seed.ADA in page
    assert "The group" in page
    assert "read and write" in page
    assert f'href="{PAGE}' in page
    about = text_of(as_grace.get(f"/collections/{seed.SHARED}/"))
    assert f'href="{PAGE}"' in about


def test_a_folder_is_shared_changed_and_closed_again(as_grace, visit):
    until = timezone.now().date() + timedelta(days=30)
    answer = as_grace.post(PAGE, {**WITH_MALLORY, "until": str(until)})
    assert answer.status_code == 302, text_of(answer)
    [rule] = rules("/field notes/")
    assert (rule.may, rule.expires_at.date()) == ("r", until)
    assert seed.MALLORY in text_of(as_grace.get(PAGE))

    address = f"{PAGE}{rule.id}/"
    assert f'value="{until}"' in text_of(as_grace.get(address))
    as_grace.post(address, {"may": "rw", "until": ""})
    [rule] = rules("/field notes/")
    assert (rule.may, rule.expires_at) == ("rw", None)

    assert "Remove this rule?" in text_of(as_grace.get(f"{address}remove/"))
    as_grace.post(f"{address}remove/")
    assert not rules("/field notes/")
    page = text_of(as_grace.get(as_grace.post(f"{address}remove/")["Location"]))
    assert "gone already" in page


def test_a_group_everyone_and_a_note(as_grace, sandbox):
    as_grace.post(PAGE, {**WITH_MALLORY, "whom": "all_authenticated_users"})
    as_grace.post(PAGE, {**WITH_MALLORY, "whom": "anonymous"})
    page = text_of(as_grace.get(PAGE))
    assert "Everyone who is signed in at Globus" in page
    assert "Everyone, also without signing in" in page
    form = text_of(as_grace.get(PAGE))
    group = re.search(r'<option value="([0-9a-f-]{36})"', form)
    assert group
    answer = as_grace.post(PAGE, {**WITH_MALLORY, "whom": "group", "group": group[1]})
    assert answer.status_code == 302
    sandbox.forget_requests()
    as_grace.post(
        PAGE,
        {**WITH_MALLORY, "path": "/other/", "notify": "on", "message": "Here it is"},
    )
    [sent] = [
        each
        for each in sandbox.requests(f"{seed.SHARED}/access")
        if "POST" in str(each)
    ]
    assert rules("/other/")
    assert sent


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"username": ""}, "Say who it is"),
        ({"username": "nobody@nowhere.example"}, "Globus knows nobody"),
        ({"username": "a,b"}, "Say who it is"),
        ({"username": "\x00"}, "Null characters"),
        ({"path": "/a/../b"}, "is not allowed"),
        ({"path": ""}, "required"),
        ({"whom": "group"}, "Choose a group"),
        ({"whom": "group", "group": seed.GROUP_TELESCOPE + "x"}, "valid choice"),
        ({"whom": "anonymous", "may": "rw"}, "may read only"),
        ({"whom": "anonymous", "notify": "on"}, "to a person only"),
        ({"whom": "planet"}, "valid choice"),
        ({"may": "own"}, "valid choice"),
        ({"until": "2001-01-01"}, "This day has passed"),
        ({"until": "soon"}, "Enter a valid date"),
        ({"path": "/", "username": seed.ADA}, "such a rule for this folder"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(as_grace, change, words):
    before = len(rules())
    answer = as_grace.post(PAGE, {**WITH_MALLORY, **change})
    assert answer.status_code == 200
    assert words in text_of(answer)
    assert len(rules()) == before


def test_only_who_manages_it_gets_in(as_grace, visit):
    ada = visit("ada")
    of_others = f"/collections/{seed.ARCHIVE}/sharing/"
    assert of_others not in text_of(ada.get(f"/collections/{seed.ARCHIVE}/"))
    for end in ("", f"{seed.ADA_ID}/", f"{seed.ADA_ID}/remove/"):
        assert ada.get(of_others + end).status_code == 403
        assert ada.post(of_others + end, WITH_MALLORY).status_code == 403
    research = f"/collections/{seed.RESEARCH}/sharing/"
    assert "Only guest collections" in text_of(as_grace.get(research))


def test_rules_that_cannot_be_read_are_not_none(as_grace, sandbox):
    sandbox.fault("/access_list", status=503)
    answer = as_grace.get(PAGE)
    assert answer.status_code == 503
    assert "It is not shared yet" not in text_of(answer)


def test_names_are_a_courtesy(as_grace, sandbox):
    sandbox.fault("/v2/api/identities", status=503)
    page = text_of(as_grace.get(PAGE))
    assert seed.ADA_ID in page


@pytest.mark.parametrize("data", [None, {}, {"DATA": [3]}, {"DATA": [{"id": "x"}]}])
def test_an_answer_that_makes_no_sense(data):
    class Client:
        def endpoint_acl_list(self, collection_id):
            return type("Answer", (), {"data": data})

    with pytest.raises(UnexpectedAnswer):
        sharing.rules(Client(), seed.SHARED)
