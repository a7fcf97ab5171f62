"""Facts of globus-services.md that are tagged as not known: each is a knob that turns.

The defaults are what the other tests see; here is the other way.
"""

import re
from dataclasses import asdict

import globus_sdk
import pytest
import requests

from sandbox import seed
from sandbox.knobs import Knobs
from sandbox.testing import REPOSITORY, SandboxError, answer_authorize_page
from tests.sandbox.conftest import TRANSFER_ALL, data_access_scope
from tests.sandbox.test_sharing import rule
from tests.sandbox.test_sign_in import authorize_url
from tests.sandbox.waiting import finished, has_nice_status

LAB = "lab.example"
UNIVERSITY = "university.example"


def documented() -> dict[str, str]:
    """``{knob: default}`` of the table in the documentation."""
    text = (REPOSITORY / "docs" / "sandbox.md").read_text()
    table = text.partition("| Knob | Default |")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for line in table.splitlines():
        names, defaults = [*line.split("|"), "", "", ""][1:3]
        knobs = re.findall(r"`(\w+)`", names)
        values = [one.strip(" `") for one in defaults.split(",")]
        assert len(values) in (1, len(knobs) or 1), line
        values = values * len(knobs) if len(values) == 1 else values
        found.update(zip(knobs, values, strict=True))
    return found


def test_every_knob_is_documented_with_its_default():
    shown = {
        name: str(value).lower() if isinstance(value, bool) else str(value) or '""'
        for name, value in asdict(Knobs()).items()
    }
    assert documented() == shown


def error(act, *arguments, **options) -> tuple[int, str]:
    """Status and code of the refusal that a call meets."""
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        act(*arguments, **options)
    return caught.value.http_status, str(caught.value.code)


@pytest.fixture
def ada(sandbox, transfer_as):
    return transfer_as("ada", seed.RESEARCH)


def copy(client, source="/Documents/paper.tex") -> str:
    document = globus_sdk.TransferData(seed.LAPTOP, seed.LAPTOP)
    document.add_item(source, "/copies/paper.tex")
    return str(client.submit_transfer(document)["task_id"])


# --- Auth


def token_error(sandbox, *, secret=seed.PORTAL_CLIENT_SECRET, **form) -> int:
    answer = requests.post(
        f"{sandbox.url}/auth/v2/oauth2/token",
        data=form,
        auth=(seed.PORTAL_CLIENT_ID, secret),
        timeout=30,
    )
    return answer.status_code


def test_the_statuses_of_the_token_endpoint(sandbox):
    code = {"grant_type": "authorization_code"}
    assert token_error(sandbox, grant_type="magic") == 400
    assert token_error(sandbox, secret="wrong", **code) == 401
    sandbox.set(oauth_error_status=422, invalid_client_status=403)
    assert token_error(sandbox, grant_type="magic") == 422
    assert token_error(sandbox, secret="wrong", **code) == 403


def test_the_status_of_a_missing_dependent_consent(sandbox, sign_in):
    sandbox.set(dependent_consent_status=400)
    timer = "https://auth.globus.org/scopes/524230d7-ea86-4a52-8312-86065a9e0417/timer"
    token = sign_in("ada", timer).by_resource_server[seed.TIMERS_CLIENT_ID]
    with (
        globus_sdk.ConfidentialAppAuthClient(
            seed.TIMERS_CLIENT_ID, seed.TIMERS_CLIENT_SECRET
        ) as timers,
        pytest.raises(globus_sdk.AuthAPIError) as caught,
    ):
        timers.oauth2_get_dependent_tokens(token["access_token"], scope=TRANSFER_ALL)
    assert caught.value.http_status == 400


def test_who_may_introspect(sandbox, sign_in):
    token = sign_in("ada").by_resource_server["transfer.api.globus.org"]
    with globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    ) as stranger:
        asked = token["access_token"]
        assert stranger.oauth2_token_introspect(asked).data == {"active": False}
        sandbox.set(introspect_only_audience=False)
        assert stranger.oauth2_token_introspect(asked)["sub"] == seed.ADA_ID


def test_one_of_several_domains_or_all(sandbox):
    url = authorize_url(sandbox, session_required_single_domain=f"{LAB},{UNIVERSITY}")
    assert "code=" in sandbox.approve(url, seed.ADA)
    sandbox.set(required_domains="all")
    with pytest.raises(SandboxError, match=f"sign in with {LAB}"):
        sandbox.approve(url, seed.ADA)
    with requests.Session() as browser:
        with pytest.raises(SandboxError):
            answer_authorize_page(browser, url, seed.ADA)
        assert "code=" in answer_authorize_page(browser, url, f"ada.lovelace@{LAB}")


def test_all_of_several_policies_or_one(sandbox):
    both = f"{seed.POLICY_UNIVERSITY},{seed.POLICY_MFA}"
    url = authorize_url(sandbox, session_required_policies=both)
    with pytest.raises(SandboxError, match="satisfy the policy"):
        sandbox.approve(url, seed.ADA)
    assert "code=" in sandbox.approve(url, seed.ADA, mfa=True)
    sandbox.set(required_policies="any")
    assert "code=" in sandbox.approve(url, seed.ADA)


def test_a_repeated_parameter_is_refused_or_the_last_counts(sandbox):
    url = f"{authorize_url(sandbox, state='one')}&state=two"
    assert "error=invalid_request" in sandbox.approve(url, "ada")
    sandbox.set(repeated_parameter="last")
    location = sandbox.approve(url, "ada")
    assert "code=" in location
    assert "state=two" in location


# --- Transfer


def test_the_order_of_a_listing(sandbox, ada):
    """A directory's own order is nobody's; that it is not sorted anew shows."""
    path = "/projects/telescope"
    sandbox.set(ls_order="directory")
    as_it_is = [one["name"] for one in ada.operation_ls(seed.RESEARCH, path=path)]
    ordered = ada.operation_ls(seed.RESEARCH, path=path, orderby="name")
    assert [one["name"] for one in ordered] == sorted(as_it_is)
    sandbox.generate(seed.RESEARCH, "/many", 300)
    listed = ada.operation_ls(seed.RESEARCH, path="/many")
    names = [one["name"] for one in listed]
    assert names != sorted(names)


def test_filters_on_names_and_sizes(sandbox, ada):
    def found(text) -> list[str]:
        listed = ada.operation_ls(
            seed.RESEARCH, path="/projects/telescope", filter=text
        )
        return [one["name"] for one in listed]

    assert found("name:raw,catalog.csv") == []
    assert "catalog.csv" in found("type:file/size:>0")
    sandbox.set(filter_commas=True, size_comparisons=False)
    assert found("name:raw,~*.csv") == ["catalog.csv", "raw"]
    assert error(found, "size:>0") == (400, "ClientError.BadRequest")
    assert found("type:file/size:999999") == []


def test_the_longest_path_and_document(sandbox, ada):
    deep = "/x" * 60
    assert error(ada.operation_ls, seed.LAPTOP, path=deep)[0] == 404
    sandbox.set(longest_path=100, document_bytes=200)
    assert error(ada.operation_ls, seed.LAPTOP, path=deep)[0] == 400
    assert error(ada.operation_mkdir, seed.LAPTOP, "/y" * 99)[0] == 413


def test_the_code_of_a_429(sandbox, sign_in):
    sandbox.set(requests_per_second=1, rate_limit_code="TooManyRequests")
    token = sign_in("ada").by_resource_server["transfer.api.globus.org"]
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    answers = [
        requests.get(
            f"{sandbox.url}/transfer/v0.10/bookmark_list", headers=headers, timeout=30
        )
        for _ in range(12)
    ]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["code"] == "TooManyRequests"


def test_the_filters_of_task_list_that_are_only_recalled(sandbox, ada):
    for text in ("is_paused:0", f"endpoint:{seed.LAPTOP}", f"username:{seed.ADA}"):
        ada.task_list(query_params={"filter": text})
    sandbox.set(recalled_task_filters=False)
    for text in ("is_paused:0", f"endpoint:{seed.LAPTOP}", f"username:{seed.ADA}"):
        assert error(ada.task_list, query_params={"filter": text})[0] == 400


def test_codes_about_tasks(sandbox, ada):
    task_id = copy(ada)
    finished(ada, task_id)
    unknown = "00000000-0000-4000-8000-000000000000"
    assert ada.cancel_task(task_id)["code"] == "TaskComplete"
    sandbox.set(
        task_not_found_code="ClientError.NotFound",
        finished_task_update_status=400,
        canceled_finished_code="Gone",
    )
    assert error(ada.get_task, unknown) == (404, "ClientError.NotFound")
    assert error(ada.update_task, task_id, {"label": "x"}) == (400, "Conflict")
    assert ada.cancel_task(task_id)["code"] == "Gone"


def test_the_code_of_a_cancel_that_takes_its_time(sandbox, ada):
    sandbox.set(hold_tasks=True)
    assert ada.cancel_task(copy(ada))["code"] == "Canceled"
    sandbox.set(cancel_wait_seconds=0.0)
    assert ada.cancel_task(copy(ada))["code"] == "CancelAccepted"
    sandbox.set(cancel_pending_code="Later")
    task_id = copy(ada, "/Documents/figures")
    assert ada.cancel_task(task_id)["code"] == "Later"
    assert finished(ada, task_id)["fatal_error"]["code"] == "CANCELED"


def test_the_nice_status_of_a_task_without_credentials(sandbox, transfer_as):
    sandbox.set(credentials_nice_status="CREDENTIALS_EXPIRED", hold_tasks=True)
    client = transfer_as("ada", seed.RESEARCH)
    document = globus_sdk.TransferData(seed.RESEARCH, seed.LAPTOP)
    document.add_item("/home/ada/notes.txt", "/notes.txt")
    task_id = str(client.submit_transfer(document)["task_id"])
    sandbox.withdraw_consents(username=seed.ADA)
    sandbox.set(hold_tasks=False)
    task = has_nice_status(client, task_id, "CREDENTIALS_EXPIRED")
    assert task["status"] == "INACTIVE"


def test_what_a_paused_operation_answers(sandbox, ada):
    sandbox.pause(seed.RESEARCH, "Maintenance")
    listing = (ada.operation_ls, seed.RESEARCH)
    assert error(*listing, path="/") == (409, "OperationPaused")
    sandbox.set(paused_status=403, paused_code="NotSupported")
    assert error(*listing, path="/") == (403, "NotSupported")


def test_a_private_collection_may_be_hidden(sandbox, ada):
    assert error(ada.get_endpoint, seed.VAULT) == (403, "PermissionDenied")
    sandbox.set(private_collection_status=404)
    assert error(ada.get_endpoint, seed.VAULT) == (404, "EndpointNotFound")


def test_what_a_new_access_rule_answers(sandbox, transfer_as):
    sandbox.set(access_created_status=200, exists_code="RuleExists")
    grace = transfer_as("grace")
    document = rule("identity", seed.MALLORY_ID)
    assert grace.add_endpoint_acl_rule(seed.SHARED, document).http_status == 200
    refused = error(grace.add_endpoint_acl_rule, seed.SHARED, document)
    assert refused == (409, "RuleExists")


def test_what_orders_over_tasks_answer(sandbox, transfer_as):
    sandbox.set(
        admin_cancel_code="Done", admin_pause_code="Paused", admin_resume_code="Resumed"
    )
    client = transfer_as("ada")
    for order, code in (("cancel", "Done"), ("pause", "Paused"), ("resume", "Resumed")):
        answer = client.post(
            f"/v0.10/endpoint_manager/admin_{order}",
            data={"task_id_list": [], "message": "x"},
        )
        assert answer["code"] == code


def test_the_document_of_a_link(sandbox, ada):
    route = f"/v0.10/operation/endpoint/{seed.LAPTOP}/symlink"
    link = {"DATA_TYPE": "symlink", "path": "/link", "target": "Documents"}
    assert error(ada.post, route, data=link)[0] == 400
    sandbox.set(symlink_target_field="target")
    assert ada.post(route, data=link)["code"] == "SymlinkCreated"


# --- Groups


def test_a_private_group_and_its_last_admin(sandbox, sign_in):
    scope = "urn:globus:auth:scope:groups.api.globus.org:all"

    def groups(username) -> globus_sdk.GroupsClient:
        token = sign_in(username, scope).by_resource_server["groups.api.globus.org"]
        authorizer = globus_sdk.AccessTokenAuthorizer(token["access_token"])
        return globus_sdk.GroupsClient(authorizer=authorizer)

    with groups("ada") as ada, groups("mallory") as mallory:
        group = ada.create_group({"name": "Mine", "description": "x"})["id"]

        def status() -> int:
            with pytest.raises(globus_sdk.GroupsAPIError) as caught:
                mallory.get_group(group)
            return caught.value.http_status

        def left() -> bool:
            leaving = globus_sdk.BatchMembershipActions().leave([seed.ADA_ID])
            return "errors" not in ada.batch_membership_action(group, leaving).data

        def verified() -> int:
            with pytest.raises(globus_sdk.GroupsAPIError) as caught:
                ada.set_subscription_admin_verified(group, None)
            return caught.value.http_status

        assert verified() == 403
        assert (status(), left()) == (404, False)
        sandbox.set(private_group_status=403, keep_last_admin=False)
        assert (status(), left()) == (403, True)


# --- collection HTTPS


def test_plain_https(sandbox, sign_in):
    https = f"https://auth.globus.org/scopes/{seed.RESEARCH}/https"
    tokens = sign_in("ada", f"{https} {data_access_scope()}").by_resource_server
    url = f"{sandbox.url}/https/{seed.RESEARCH}/home/ada/notes.txt"

    def ask(method="GET", server=seed.RESEARCH, **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {tokens[server]['access_token']}"}
        headers |= options.pop("headers", {})
        return requests.request(method, url, headers=headers, timeout=30, **options)

    part = {"Range": "bytes=0-2"}
    assert ask(headers=part).status_code == 206
    assert ask(server="transfer.api.globus.org").status_code == 401
    sandbox.set(
        https_ranges=False,
        https_head=False,
        https_etag=False,
        https_error_body="text",
        https_transfer_tokens=True,
        https_created_status=200,
        https_changed_status=200,
        https_script_status=302,
    )
    whole = ask(headers=part)
    assert (whole.status_code, len(whole.content)) == (200, 27)
    assert not {"ETag", "Accept-Ranges"} & set(whole.headers)
    assert ask("HEAD").status_code == 405
    assert ask("PATCH").headers["Content-Type"].startswith("text/plain")
    assert ask(server="transfer.api.globus.org").status_code == 200
    assert ask("PUT", data=b"x").status_code == 200
    assert ask("DELETE").status_code == 200
    script = requests.get(
        url,
        headers={"X-Requested-With": "XMLHttpRequest"},
        timeout=30,
        allow_redirects=False,
    )
    assert script.is_redirect


# --- what a knob does not take


@pytest.mark.parametrize(
    "turn",
    [
        {"ls_order": "random"},
        {"required_domains": "some"},
        {"private_group_status": 418},
        {"paused_status": 99},
        {"https_error_body": "xml"},
    ],
)
def test_nonsense_is_refused(sandbox, turn):
    with pytest.raises(SandboxError):
        sandbox.set(**turn)
