"""Section 9, check 59: groups, read and written."""

import globus_sdk
import pytest

from sandbox import seed
from tests.sandbox.conftest import GROUPS_VIEW

GROUPS_ALL = "urn:globus:auth:scope:groups.api.globus.org:all"


@pytest.fixture
def groups_as(sign_in):
    def client_for(username, scope=GROUPS_VIEW):
        token = sign_in(username, scope)["access_token"]
        return globus_sdk.GroupsClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(token)
        )

    return client_for


def ids(groups) -> set[str]:
    return {one["id"] for one in groups}


def test_check_59_my_groups_are_the_active_ones(groups_as):
    with groups_as("ada") as client:
        mine = client.get_my_groups()
        assert isinstance(mine.data, list)
        assert ids(mine) == {
            seed.GROUP_USERS,
            seed.GROUP_GENOMICS,
            seed.GROUP_TELESCOPE,
        }
        genomics = next(one for one in mine if one["id"] == seed.GROUP_GENOMICS)
        roles = {one["identity_id"]: one["role"] for one in genomics["my_memberships"]}
        assert roles == {seed.ADA_ID: "admin", seed.ADA_LAB_ID: "member"}
        invited = client.get_my_groups(statuses="invited")
        assert ids(invited) == {seed.GROUP_INVITATION}
        both = client.get_my_groups(statuses=["active", "invited"])
        assert len(list(both)) == 4


def test_check_59_one_group(groups_as):
    with groups_as("grace") as client:
        group = client.get_group(
            seed.GROUP_STAFF, include=["memberships", "my_memberships"]
        )
    assert {one["username"] for one in group["memberships"]} == {seed.GRACE, seed.ROOT}
    assert [one["role"] for one in group["my_memberships"]] == ["manager"]
    assert group["policies"]["group_visibility"] == "private"


def test_strangers_see_nothing(groups_as):
    with groups_as("mallory") as client:
        assert client.get_my_groups().data == []
        with pytest.raises(globus_sdk.GroupsAPIError) as caught:
            client.get_group(seed.GROUP_ADMINS)
    assert caught.value.http_status == 404


def test_who_is_in_the_portals_groups(groups_as):
    wanted = {
        "ada": {seed.GROUP_USERS},
        "grace": {seed.GROUP_USERS, seed.GROUP_STAFF},
        "root": {seed.GROUP_USERS, seed.GROUP_STAFF, seed.GROUP_ADMINS},
        "mallory": set(),
    }
    portal = {seed.GROUP_USERS, seed.GROUP_STAFF, seed.GROUP_ADMINS}
    for username, groups in wanted.items():
        with groups_as(username) as client:
            assert ids(client.get_my_groups()) & portal == groups


@pytest.fixture
def writers(groups_as):
    clients = {name: groups_as(name, GROUPS_ALL) for name in ("ada", "grace", "root")}
    yield clients
    for client in clients.values():
        client.close()


def roles_of(client, group_id) -> dict[str, tuple[str, str]]:
    group = client.get_group(group_id, include="memberships")
    return {
        one["identity_id"]: (one["role"], one["status"]) for one in group["memberships"]
    }


def test_check_59_a_batch_with_one_failing_entry(writers):
    actions = globus_sdk.BatchMembershipActions()
    actions.add_members([seed.ROOT_ID, seed.GRACE_ID], role="manager")
    actions.remove_members([seed.MALLORY_ID])
    answer = writers["ada"].batch_membership_action(seed.GROUP_GENOMICS, actions)
    assert answer.http_status == 200
    (added,) = answer["add"]
    assert (added["identity_id"], added["role"]) == (seed.ROOT_ID, "manager")
    assert answer["remove"] == []
    codes = {
        name: [one["code"] for one in answer["errors"][name]]
        for name in answer["errors"]
    }
    assert codes == {"add": ["ALREADY_ACTIVE"], "remove": ["NO_MEMBERSHIP"]}
    actions = globus_sdk.BatchMembershipActions()
    actions.remove_members([seed.ROOT_ID])
    removed = writers["ada"].batch_membership_action(seed.GROUP_GENOMICS, actions)
    assert "errors" not in removed.data
    assert roles_of(writers["ada"], seed.GROUP_GENOMICS)[seed.ROOT_ID][1] == "removed"


def test_a_group_from_its_making_to_its_end(writers, groups_as):
    ada, grace = writers["ada"], writers["grace"]
    manager = globus_sdk.GroupsManager(ada)
    made = manager.create_group("Night watch", "Who looks after the robots")
    group_id = made["id"]
    assert roles_of(ada, group_id) == {seed.ADA_ID: ("admin", "active")}
    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        grace.get_group(group_id)
    assert caught.value.http_status == 404
    manager.invite_member(group_id, seed.GRACE_ID)
    assert group_id in ids(grace.get_my_groups(statuses="invited"))
    globus_sdk.GroupsManager(grace).accept_invite(group_id, seed.GRACE_ID)
    assert group_id in ids(grace.get_my_groups())
    manager.change_role(group_id, seed.GRACE_ID, "manager")
    assert roles_of(ada, group_id)[seed.GRACE_ID] == ("manager", "active")
    updated = ada.update_group(group_id, {"name": "Day watch"})
    assert updated["name"] == "Day watch"
    last = globus_sdk.GroupsManager(ada).leave(group_id, seed.ADA_ID)
    assert last["errors"]["leave"][0]["code"] == "LAST_ADMIN"
    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        grace.delete_group(group_id)
    assert caught.value.http_status == 403
    assert ada.delete_group(group_id)["id"] == group_id
    with pytest.raises(globus_sdk.GroupsAPIError):
        ada.get_group(group_id)


def test_policies_and_requests_to_join(writers):
    ada, root = writers["ada"], writers["root"]
    manager = globus_sdk.GroupsManager(ada)
    policies = manager.set_group_policies(
        seed.GROUP_GENOMICS,
        is_high_assurance=False,
        group_visibility="authenticated",
        group_members_visibility="managers",
        join_requests=True,
        signup_fields=[],
    )
    assert policies["join_requests"] is True
    assert root.get_group(seed.GROUP_GENOMICS)["name"].startswith("Genomics")
    assert roles_of(root, seed.GROUP_GENOMICS) == {}
    asked = globus_sdk.GroupsManager(root).request_join(
        seed.GROUP_GENOMICS, seed.ROOT_ID
    )
    assert asked["request_join"][0]["status"] == "pending"
    manager.approve_pending(seed.GROUP_GENOMICS, seed.ROOT_ID)
    assert seed.GROUP_GENOMICS in ids(root.get_my_groups())
    assert ada.get_group_policies(seed.GROUP_GENOMICS)["join_requests"] is True
    ada.set_membership_fields(seed.GROUP_GENOMICS, {"phone": "1"})
    assert ada.get_membership_fields(seed.GROUP_GENOMICS)["phone"] == "1"
    ada.set_identity_preferences({"allow_add": False})
    assert ada.get_identity_preferences()["allow_add"] is False


def test_invitations_are_declined_by_who_has_them(writers):
    ada, grace = writers["ada"], writers["grace"]
    not_mine = globus_sdk.GroupsManager(grace).accept_invite(
        seed.GROUP_INVITATION, seed.ADA_ID
    )
    assert not_mine["errors"]["accept"][0]["code"] == "FORBIDDEN"
    done = globus_sdk.GroupsManager(ada).decline_invite(
        seed.GROUP_INVITATION, seed.ADA_ID
    )
    assert done["decline"][0]["status"] == "declined"


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("post", "/v2/groups", {"name": ""}, 422),
        ("post", "/v2/groups", {"name": 5}, 422),
        ("post", f"/v2/groups/{seed.GROUP_GENOMICS}", {"adopt": []}, 422),
        ("post", f"/v2/groups/{seed.GROUP_GENOMICS}", {"add": "ada"}, 422),
        ("put", f"/v2/groups/{seed.GROUP_GENOMICS}/policies", {"x": 1}, 422),
        ("put", f"/v2/groups/{seed.GROUP_STAFF}", {"name": "x"}, 404),
        ("put", f"/v2/groups/{seed.GROUP_TELESCOPE}", {"name": "x"}, 403),
        ("get", "/v2/subscription_info/1", None, 404),
    ],
)
def test_refused_changes(writers, method, path, body, status):
    with pytest.raises(globus_sdk.GroupsAPIError) as caught:
        writers["ada"].request(method.upper(), path, data=body)
    assert caught.value.http_status == status


def test_a_token_that_reads_does_not_write(groups_as):
    with groups_as("ada") as client, pytest.raises(globus_sdk.GroupsAPIError) as caught:
        client.create_group({"name": "x"})
    assert caught.value.http_status == 403
