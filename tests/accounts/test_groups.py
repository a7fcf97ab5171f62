"""Groups: the table, its filters, the file, and invitations."""

import re

import pytest

from accounts import groups
from accounts.models import PendingAction, Token
from portal.globus import scopes
from portal.globus.errors import Refused, UnexpectedAnswer
from sandbox import seed
from tests.flows import consent, go_on

pytestmark = pytest.mark.django_db(transaction=True)

ANSWER = f"/groups/{seed.GROUP_INVITATION}/answer/"


def text_of(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def as_ada(visit):
    return visit("ada")


def answers(browser, answer, sandbox):
    """Presses a button of an invitation and gives the consent that it takes."""
    page = browser.post(ANSWER, {"identity": seed.ADA_ID, "answer": answer})
    assert page.status_code == 403
    assert "change what groups you are in" in text_of(page)
    question = consent(browser, sandbox, page.content.decode(), "ada")
    return go_on(browser, question)


def test_groups_stand_with_role_and_status(as_ada):
    page = text_of(as_ada.get("/groups/"))
    assert "Genomics, spring campaign" in page
    assert "You are invited" in page
    assert seed.GROUP_INVITATION in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=GENOMICS", True),
        ("q=nothing+like+it", False),
        ("status=active", True),
        ("status=pending", False),
        ("role=nonsense", False),
        ("q=%00%3Cscript%3E", False),
        ("page=99", True),
    ],
)
def test_the_filters(as_ada, query, shown):
    page = text_of(as_ada.get(f"/groups/?{query}"))
    assert ("Genomics, spring campaign" in page) is shown
    assert shown or "None of your groups fits" in page
    assert "<script>" not in page


def test_the_file_follows_the_filter_and_leaves_invitations_out(as_ada):
    def lines(query=""):
        answer = as_ada.get(f"/groups.csv{query}")
        return b"".join(answer.streaming_content).decode().splitlines()

    everything = lines()
    assert everything[0] == "ID,Name,Roles"
    assert not any(seed.GROUP_INVITATION in line for line in everything)
    [_, only] = lines("?q=genomics")
    assert only.startswith(f'{seed.GROUP_GENOMICS},"Genomics, spring campaign",')


def test_an_invitation_is_accepted_after_the_consent_that_it_takes(as_ada, sandbox):
    back = answers(as_ada, "accept", sandbox)
    assert back["Location"] == "/groups/"
    page = text_of(as_ada.get("/groups/"))
    assert "You are a member now" in page
    assert "You are invited" not in page
    # The consent is there now: nobody is asked twice.
    token = Token.objects.get(resource_server=scopes.GROUPS)
    assert scopes.scope_of_right(scopes.Right.GROUPS) in token.scope.split()


def test_an_invitation_is_declined(as_ada, sandbox):
    answers(as_ada, "decline", sandbox)
    page = text_of(as_ada.get("/groups/"))
    assert "You declined the invitation" in page
    assert seed.GROUP_INVITATION not in page


def test_an_invitation_that_was_answered_elsewhere(as_ada, sandbox):
    answers(as_ada, "accept", sandbox)
    answer = as_ada.post(ANSWER, {"identity": seed.ADA_ID, "answer": "accept"})
    assert answer.status_code == 400
    assert "no longer open" in text_of(answer)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"identity": "x", "answer": "accept"},
        {"identity": seed.ADA_ID, "answer": "own"},
        {"identity": "\x00", "answer": "accept"},
    ],
)
def test_a_form_that_is_not_ours_reaches_nobody(as_ada, sandbox, form):
    sandbox.forget_requests()
    assert as_ada.post(ANSWER, form).status_code == 400
    assert not sandbox.requests("/v2/groups")
    assert not PendingAction.objects.exists()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"accept": [{"identity_id": "another"}]},
        {"errors": {"accept": ["x"]}},
        {"accept": 3},
    ],
)
def test_an_answer_that_makes_no_sense_is_not_a_yes(document):
    class Client:
        def batch_membership_action(self, *args):
            return type("Answer", (), {"data": document})

    with pytest.raises(UnexpectedAnswer):
        groups.answer_invitation(
            Client(),
            seed.GROUP_INVITATION,
            seed.ADA_ID,
            groups.Answer.ACCEPT,
        )


def test_a_refusal_of_one_action_is_a_refusal():
    with pytest.raises(Refused):
        groups._check_done(
            {"accept": [], "errors": {"accept": [{"code": "NO_MEMBERSHIP"}]}},
            seed.ADA_ID,
            groups.Answer.ACCEPT,
        )
