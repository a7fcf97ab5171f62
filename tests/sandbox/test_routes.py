"""``docs/sandbox.md`` says which routes of Transfer are served, and says it truly."""

import re
import subprocess
import sys

import pytest
import requests
from django.urls import URLPattern

from sandbox import seed
from sandbox.testing import REPOSITORY

#: globus-services.md sections 3.1 and 3.13, as ``METHOD path``
LINES = """
GET endpoint/<id>
PUT endpoint/<id>
DELETE endpoint/<id>
PUT endpoint/<id>/subscription
PUT endpoint/<id>/subscription_admin_verified
GET endpoint_search
GET endpoint/<id>/my_shared_endpoint_list
GET endpoint/<id>/shared_endpoint_list
GET endpoint/<id>/my_effective_pause_rule_list
GET endpoint/<id>/server_list
GET endpoint/<id>/server/<id>
POST shared_endpoint
GET endpoint/<id>/role_list
POST endpoint/<id>/role
GET endpoint/<id>/role/<id>
DELETE endpoint/<id>/role/<id>
GET endpoint/<id>/access_list
POST endpoint/<id>/access
GET endpoint/<id>/access/<id>
PUT endpoint/<id>/access/<id>
DELETE endpoint/<id>/access/<id>
GET bookmark_list
POST bookmark
GET bookmark/<id>
PUT bookmark/<id>
DELETE bookmark/<id>
GET operation/endpoint/<id>/ls
GET operation/endpoint/<id>/stat
POST operation/endpoint/<id>/mkdir
POST operation/endpoint/<id>/rename
POST operation/endpoint/<id>/symlink
GET submission_id
POST transfer
POST delete
GET task_list
GET task/<id>
PUT task/<id>
POST task/<id>/cancel
GET task/<id>/event_list
GET task/<id>/successful_transfers
GET task/<id>/skipped_errors
GET task/<id>/pause_info
GET endpoint_manager/monitored_endpoints
GET endpoint_manager/endpoint/<id>
GET endpoint_manager/endpoint/<id>/hosted_endpoint_list
GET endpoint_manager/endpoint/<id>/access_list
GET endpoint_manager/task_list
GET endpoint_manager/task/<id>
GET endpoint_manager/task/<id>/event_list
GET endpoint_manager/task/<id>/pause_info
GET endpoint_manager/task/<id>/successful_transfers
GET endpoint_manager/task/<id>/skipped_errors
POST endpoint_manager/admin_cancel
GET endpoint_manager/admin_cancel/<id>
POST endpoint_manager/admin_pause
POST endpoint_manager/admin_resume
GET endpoint_manager/pause_rule_list
POST endpoint_manager/pause_rule
GET endpoint_manager/pause_rule/<id>
PUT endpoint_manager/pause_rule/<id>
DELETE endpoint_manager/pause_rule/<id>
GET /v2/tunnels
GET /v2/stream_access_points
GET /v2/bookmarks
"""
REFERENCE = LINES.strip().splitlines()


def documented() -> dict[str, bool]:
    """``{"METHOD path": is it served}`` of the table."""
    text = (REPOSITORY / "docs" / "sandbox.md").read_text()
    table = text.partition("| Route of Transfer")[2].partition("\n\n")[0]
    found: dict[str, bool] = {}
    for line in table.splitlines()[2:]:
        routes, says = line.strip("|").split("|")
        for part in routes.split(";"):
            methods = re.findall(r"\b[A-Z]+\b", part.partition("`")[0])
            for path in re.findall(r"`([^`]+)`", part):
                is_served = "knowingly not" not in says
                found |= {f"{method} {path}": is_served for method in methods}
    return found


def served() -> set[str]:
    from sandbox.transfer.urls import urlpatterns

    found = set()
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        path = re.sub("<str:[^>]+>", "<id>", str(pattern.pattern))
        methods = getattr(pattern.callback, "methods", ())
        found |= {f"{method} {path}" for method in methods}
    return found


def test_the_list_has_every_route_of_the_reference():
    assert set(documented()) == set(REFERENCE)


def test_what_it_calls_served_is_served_and_nothing_else():
    program = (
        "import os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'sandbox.settings'\n"
        "import django\n"
        "django.setup()\n"
        "from tests.sandbox.test_routes import served\n"
        "print(*sorted(served()), sep='\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    shown = {route for route, is_served in documented().items() if is_served}
    assert set(done.stdout.splitlines()) == shown


@pytest.fixture
def headers(sign_in):
    token = sign_in("ada").by_resource_server["transfer.api.globus.org"]
    return {"Authorization": f"Bearer {token['access_token']}"}


@pytest.mark.parametrize("route", REFERENCE)
def test_a_route_is_expected_or_knowingly_not(sandbox, headers, route):
    method, _, path = route.partition(" ")
    known = path.replace("<id>", seed.LAPTOP)
    base = "/transfer" if path.startswith("/") else "/transfer/v0.10/"
    sandbox.forget_requests()
    requests.request(
        method, f"{sandbox.url}{base}{known}", headers=headers, json={}, timeout=30
    )
    (logged,) = sandbox.requests()
    assert logged["is_unexpected"] is not documented()[route]
