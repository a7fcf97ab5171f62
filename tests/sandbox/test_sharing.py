"""Section 9, checks 44, 57, 58: guest collections, access rules, roles, bookmarks."""

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
        rule("anonymous", path="/results/../"),
        rule("anonymous", path="/./results/"),
        rule("anonymous", path="/results//runs/"),
        rule("anonymous", path="//"),
        rule("anonymous", path=f"/{'x' * 256}/"),
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


def test_check_58_roles(transfer_as):
    grace, mallory = transfer_as("grace"), transfer_as("mallory")

    def new(role, principal=seed.MALLORY_ID, kind="identity") -> dict[str, str]:
        return {
            "DATA_TYPE": "role",
            "principal_type": kind,
            "principal": principal,
            "role": role,
        }

    with pytest.raises(globus_sdk.TransferAPIError):
        mallory.get_endpoint(seed.SHARED)
    made = grace.add_endpoint_role(seed.SHARED, new("access_manager"))
    assert made.http_status == 201
    assert mallory.get_endpoint(seed.SHARED)["my_effective_roles"] == ["access_manager"]
    mallory.add_endpoint_acl_rule(seed.SHARED, rule("identity", seed.MALLORY_ID))
    assert mallory.operation_ls(seed.SHARED, path="/results").http_status == 200
    assert grace.get_endpoint_role(seed.SHARED, made["id"])["role"] == "access_manager"
    for wrong, status in (
        (new("access_manager"), 409),
        (new("king"), 400),
        (new("administrator", "nobody"), 400),
        (new("administrator", kind="planet"), 400),
    ):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            grace.add_endpoint_role(seed.SHARED, wrong)
        assert caught.value.http_status == status
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        mallory.add_endpoint_role(seed.SHARED, new("administrator"))
    assert caught.value.http_status == 403
    assert grace.delete_endpoint_role(seed.SHARED, made["id"])["code"] == "Deleted"
    assert [one["role"] for one in grace.endpoint_role_list(seed.SHARED)] == [
        "access_manager"
    ]


def test_check_44_guest_collections_are_made_listed_and_deleted(transfer_as):
    ada = transfer_as("ada", seed.RESEARCH)
    made = ada.create_shared_endpoint(
        {
            "DATA_TYPE": "shared_endpoint",
            "host_endpoint": seed.RESEARCH,
            "host_path": "/home/ada/",
            "display_name": "Ada's notes",
            "description": "For everybody",
        }
    )
    assert made["code"] == "Created"
    document = ada.get_endpoint(made["id"])
    assert document["entity_type"] == "GCSv5_guest_collection"
    assert document["host_endpoint_id"] == seed.RESEARCH
    assert document["description"] == "For everybody"
    listed = [one["name"] for one in ada.operation_ls(made["id"], show_hidden=False)]
    assert listed == ["notes.txt"]
    assert [one["id"] for one in ada.my_shared_endpoint_list(seed.RESEARCH)] == [
        made["id"]
    ]
    changed = ada.update_endpoint(made["id"], {"display_name": "Notes"})
    assert changed["code"] == "Updated"
    assert ada.get_endpoint(made["id"])["display_name"] == "Notes"
    everybody = rule("all_authenticated_users", path="/")
    ada.add_endpoint_acl_rule(made["id"], everybody)
    mallory = transfer_as("mallory")
    assert mallory.operation_ls(made["id"]).http_status == 200
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        mallory.delete_endpoint(made["id"])
    assert caught.value.http_status == 403
    assert ada.delete_endpoint(made["id"])["code"] == "Deleted"
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.get_endpoint(made["id"])
    assert (caught.value.http_status, caught.value.code) == (404, "EndpointDeleted")


def test_check_44_shared_endpoint_list_pages_by_next_token(transfer_as):
    ada = transfer_as("ada")
    wanted = set()
    for number in range(5):
        made = ada.create_shared_endpoint(
            {
                "DATA_TYPE": "shared_endpoint",
                "host_endpoint": seed.LAPTOP,
                "host_path": "/Documents/",
                "display_name": f"Share {number}",
            }
        )
        wanted.add(made["id"])
    pages = ada.paginated.get_shared_endpoint_list(seed.LAPTOP, max_results=2)
    assert {one["id"] for one in pages.items()} == wanted
    kinds = {ada.get_endpoint(one)["entity_type"] for one in wanted}
    assert kinds == {"GCP_guest_collection"}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host_path": "/nowhere/"}, 404),
        ({"host_path": "/projects/"}, 403),
        ({"host_endpoint": seed.SHARED}, 409),
        ({"display_name": ""}, 400),
        ({"public": "perhaps"}, 400),
    ],
)
def test_refused_guest_collections(transfer_as, changes, status):
    wish = {
        "DATA_TYPE": "shared_endpoint",
        "host_endpoint": seed.RESEARCH,
        "host_path": "/home/ada/",
        "display_name": "x",
    }
    if changes.get("host_path") == "/nowhere/":
        wish["host_endpoint"] = seed.LAPTOP
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        transfer_as("ada", seed.RESEARCH).create_shared_endpoint({**wish, **changes})
    assert caught.value.http_status == status


def test_check_58_a_hundred_bookmarks(transfer_as):
    ada = transfer_as("ada")
    for number in range(100):
        ada.create_bookmark(
            {"endpoint_id": seed.LAPTOP, "path": "/", "name": f"b{number}"}
        )
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.create_bookmark({"endpoint_id": seed.LAPTOP, "path": "/", "name": "more"})
    assert caught.value.http_status == 409
    assert len(list(ada.bookmark_list())) == 100
