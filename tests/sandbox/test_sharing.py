"""Section 9, checks 57 and 58 (but for changing roles): access rules, bookmarks."""

from datetime import UTC, datetime

import globus_sdk
import pytest

from sandbox import seed


def rule(
    kind, principal="", path="/results/", permissions="r", **more
) -> dict[str, str]:
    return {
        "DATA_TYPE": "access",
        "principal_type": kind,
        "principal": principal,
        "path": path,
        "permissions": permissions,
        **more,
    }


@pytest.mark.parametrize(
    ("kind", "principal", "username"),
    [
        ("identity", seed.MALLORY_ID, "mallory"),
        ("all_authenticated_users", "", "mallory"),
        ("group", seed.GROUP_ADMINS, "root"),
    ],
)
def test_check_57_a_rule_counts_at_once(transfer_as, kind, principal, username):
    grace, other = transfer_as("grace"), transfer_as(username)

    def may_list() -> bool:
        try:
            other.operation_ls(seed.SHARED, path="/results")
        except globus_sdk.TransferAPIError as err:
            return err.http_status != 403
        return True

    assert not may_list()
    made = grace.add_endpoint_acl_rule(seed.SHARED, rule(kind, principal))
    assert (made.http_status, made["code"]) == (201, "Created")
    assert may_list()
    rules = grace.endpoint_acl_list(seed.SHARED)
    assert made["access_id"] in {one["id"] for one in rules}
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        grace.add_endpoint_acl_rule(seed.SHARED, rule(kind, principal))
    assert (caught.value.http_status, caught.value.code) == (409, "Exists")
    deleted = grace.delete_endpoint_acl_rule(seed.SHARED, made["access_id"])
    assert deleted["code"] == "Deleted"
    assert not may_list()


def test_check_57_an_expired_rule_stops(sandbox, transfer_as):
    grace, mallory = transfer_as("grace"), transfer_as("mallory")
    until = datetime.fromtimestamp(sandbox.now() + 60, UTC).isoformat()
    new = rule("identity", seed.MALLORY_ID, expiration_date=until)
    made = grace.add_endpoint_acl_rule(seed.SHARED, new)
    assert mallory.operation_ls(seed.SHARED, path="/results").http_status == 200
    updated = grace.update_endpoint_acl_rule(
        seed.SHARED, made["access_id"], {"DATA_TYPE": "access", "permissions": "rw"}
    )
    assert updated["code"] == "Updated"
    mallory.operation_mkdir(seed.SHARED, "/results/mine")
    sandbox.advance(61)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        mallory.operation_ls(seed.SHARED, path="/results")
    assert caught.value.http_status == 403


def test_who_may_not_manage_access(transfer_as):
    for username, collection in (("mallory", seed.SHARED), ("ada", seed.TUTORIAL_1)):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            transfer_as(username).add_endpoint_acl_rule(
                collection, rule("all_authenticated_users")
            )
        assert caught.value.http_status == 403


@pytest.mark.parametrize(
    "wrong",
    [
        rule("nobody"),
        rule("identity"),
        rule("anonymous", seed.ADA_ID),
        rule("anonymous", path="results"),
        rule("anonymous", permissions="x"),
        rule("anonymous", expiration_date="soon"),
    ],
)
def test_refused_rules(transfer_as, wrong):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        transfer_as("grace").add_endpoint_acl_rule(seed.SHARED, wrong)
    assert caught.value.http_status == 400


def test_check_58_bookmarks_and_roles(transfer_as):
    ada = transfer_as("ada")
    new = {"endpoint_id": seed.LAPTOP, "path": "/Documents", "name": "papers"}
    made = ada.create_bookmark(new)
    assert made["path"] == "/Documents/"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.create_bookmark(new)
    assert caught.value.http_status == 409
    assert ada.update_bookmark(made["id"], {"name": "Papers"})["name"] == "Papers"
    assert [one["name"] for one in ada.bookmark_list()] == ["Papers"]
    assert list(transfer_as("grace").bookmark_list()) == []
    assert ada.delete_bookmark(made["id"])["code"] == "Deleted"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.get_bookmark(made["id"])
    assert (caught.value.http_status, caught.value.code) == (404, "BookmarkNotFound")
    (role,) = ada.endpoint_role_list(seed.SHARED)
    assert (role["principal"], role["role"]) == (seed.ADA_ID, "access_manager")
