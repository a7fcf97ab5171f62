"""Section 9, check 59, as far as groups are served: reading."""

import globus_sdk
import pytest

from sandbox import seed
from tests.sandbox.conftest import GROUPS_VIEW


@pytest.fixture
def groups_as(sign_in):
    def client_for(username):
        token = sign_in(username, GROUPS_VIEW)["access_token"]
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
