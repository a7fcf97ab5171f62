"""Section 9, checks 33, 34, 41, 43 and 44: collections, and who may use them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import globus_sdk
import pytest
import requests
from globus_sdk.gare import to_gare

from sandbox import seed

#: the keys of section 3.2 that a client may look at
KEYS = {
    "DATA_TYPE",
    "id",
    "display_name",
    "organization",
    "department",
    "keywords",
    "description",
    "contact_email",
    "contact_info",
    "info_link",
    "user_message",
    "user_message_link",
    "name",
    "canonical_name",
    "username",
    "owner_id",
    "owner_string",
    "public",
    "location",
    "network_use",
    "entity_type",
    "is_globus_connect",
    "gcp_connected",
    "gcp_paused",
    "gcs_version",
    "non_functional",
    "non_functional_endpoint_id",
    "non_functional_endpoint_display_name",
    "host_endpoint_id",
    "host_endpoint",
    "host_endpoint_display_name",
    "host_path",
    "mapped_collection_id",
    "mapped_collection_display_name",
    "force_encryption",
    "disable_verify",
    "force_verify",
    "disable_anonymous_writes",
    "mfa_required",
    "high_assurance",
    "authentication_timeout_mins",
    "authentication_policy_id",
    "authentication_assurance_timeout",
    "acl_available",
    "acl_editable",
    "acl_max_expiration_period_mins",
    "requester_pays",
    "shareable",
    "auto_delete_timeout",
    "guest_collection_activity_notification_policy",
    "subscription_id",
    "subscription_admin_verified",
    "https_server",
    "tlsftp_server",
    "gcs_manager_url",
    "default_directory",
    "local_user_info_available",
    "in_use",
    "my_effective_roles",
    "last_accessed_time",
    "storage_type",
    "french_english_bilingual",
    "max_concurrency",
    "preferred_concurrency",
    "max_parallelism",
    "preferred_parallelism",
    "activated",
    "expires_in",
    "expire_time",
    "myproxy_server",
    "myproxy_dn",
    "oauth_server",
    "s3_url",
    "s3_owner_activated",
    "globus_connect_setup_key",
    "sharing_target_endpoint",
    "sharing_target_root_path",
    "DATA",
    "request_id",
    "resource",
}


@pytest.mark.parametrize(
    ("collection", "kind"),
    [
        (seed.TUTORIAL_1, "GCSv5_mapped_collection"),
        (seed.SHARED, "GCSv5_guest_collection"),
        (seed.LAPTOP, "GCP_mapped_collection"),
    ],
)
def test_check_33_endpoint_documents(transfer_as, collection, kind):
    document = transfer_as("ada").get_endpoint(collection).data
    assert set(document) >= KEYS
    assert document["entity_type"] == kind


def names(found) -> list[str]:
    return [one["display_name"] for one in found]


def test_check_34_search(transfer_as):
    client = transfer_as("ada")
    assert names(client.endpoint_search("tut coll")) == [
        "Globus Tutorial Collection 1",
        "Globus Tutorial Collection 2",
    ]
    assert names(client.endpoint_search("utorial")) == []
    assert names(client.endpoint_search(filter_scope="my-endpoints")) == [
        "Ada's laptop"
    ]
    assert names(client.endpoint_search(filter_scope="shared-with-me")) == [
        "Spring campaign (shared)"
    ]
    client.operation_ls(seed.LAPTOP, path="/")
    recent = client.endpoint_search(filter_scope="recently-used")
    assert names(recent) == ["Ada's laptop"]
    page = client.endpoint_search("collection", limit=1)
    assert (page["has_next_page"], len(page["DATA"])) == (True, 1)
    rest = client.endpoint_search("collection", limit=1, offset=1)
    assert (rest["has_next_page"], len(rest["DATA"])) == (False, 1)


def test_check_34_the_scopes_of_a_search(sandbox, transfer_as):
    """What is recent or in use is so for the caller, not for others."""
    sandbox.set(hold_tasks=True)
    ada, grace = transfer_as("ada"), transfer_as("grace")

    def found(client, scope) -> list[str]:
        return names(client.endpoint_search(filter_scope=scope))

    laptop, shared = "Ada's laptop", "Spring campaign (shared)"
    assert found(ada, "my-gcp-endpoints") == [laptop]
    assert found(grace, "shared-by-me") == [shared]
    assert found(ada, "shared-by-me") == []
    assert found(ada, "administered-by-me") == [laptop, shared]
    assert found(transfer_as("mallory"), "administered-by-me") == []
    assert found(ada, "shared-with-me") == [shared]
    # A rule names a group of hers, but the collection is her own.
    assert found(grace, "shared-with-me") == []
    assert shared in found(ada, "hide-no-permissions")
    assert shared not in found(transfer_as("mallory"), "hide-no-permissions")
    ada.operation_ls(seed.SHARED, path="/results/")
    sandbox.advance(100)
    ada.operation_ls(seed.LAPTOP, path="/")
    assert found(ada, "recently-used") == [laptop, shared]
    assert found(grace, "recently-used") == []
    document = globus_sdk.TransferData(seed.SHARED, seed.LAPTOP)
    document.add_item("/results/variants.csv", "/variants.csv")
    assert found(ada, "in-use") == []
    task = ada.submit_transfer(document)["task_id"]
    assert found(ada, "in-use") == [laptop, shared]
    assert found(grace, "in-use") == []
    ada.cancel_task(task)
    assert found(ada, "in-use") == []


def test_check_34_search_pages_across_a_hundred(transfer_as):
    client = transfer_as("ada")
    for number in range(120):
        client.create_shared_endpoint(
            {
                "DATA_TYPE": "shared_endpoint",
                "host_endpoint": seed.LAPTOP,
                "host_path": "/Documents/",
                "display_name": f"Wombat {number:03d}",
            }
        )
    first = client.endpoint_search("wombat")
    assert (len(first["DATA"]), first["has_next_page"]) == (100, True)
    pages = client.paginated.endpoint_search("wombat")
    assert names(pages.items()) == [f"Wombat {number:03d}" for number in range(120)]
    assert names(client.endpoint_search("wombat 119 ada")) == ["Wombat 119"]
    mine = client.paginated.endpoint_search(filter_scope="shared-by-me")
    assert len(list(mine.items())) == 120


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"filter_scope": "nonsense"},
        {"filter_scope": "my-endpoints", "filter_owner_id": seed.ADA_ID},
        {"filter_fulltext": "x", "limit": "-1"},
    ],
)
def test_bad_searches(transfer_as, parameters):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        transfer_as("ada").get("/v0.10/endpoint_search", query_params=parameters)
    assert caught.value.http_status == 400


def test_check_41_a_mapped_collection_wants_data_access(transfer_as, sign_in, sandbox):
    client = transfer_as("ada")
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.TUTORIAL_1, path="/share/godata")
    assert (caught.value.http_status, caught.value.code) == (403, "ConsentRequired")
    (scope,) = caught.value.info.consent_required.required_scopes
    gare = to_gare(caught.value)
    assert gare is not None
    assert gare.authorization_parameters.required_scopes == [scope]

    sign_in("ada", scope)

    listed = client.operation_ls(seed.TUTORIAL_1, path="/share/godata")
    assert [one["name"] for one in listed] == ["file1.txt", "file2.txt", "file3.txt"]
    assert sandbox.withdraw_consents(username=seed.ADA) == 2
    with pytest.raises(globus_sdk.TransferAPIError):
        client.operation_ls(seed.TUTORIAL_1, path="/share/godata")


def test_a_consent_that_is_given_several_times_at_once_is_one(sandbox):
    start = threading.Barrier(8)

    def ask(_: int) -> None:
        start.wait(60)
        answer = requests.post(
            f"{sandbox.url}/auth/v2/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "scope": str(globus_sdk.TransferClient.scopes.all),
            },
            auth=(seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET),
            timeout=60,
        )
        assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):  # they meet in one of them
            list(pool.map(ask, range(8)))
            assert sandbox.withdraw_consents(client_id=seed.HARVEST_CLIENT_ID) == 1


def test_check_42_a_client_identity_consents_by_asking(sandbox):
    client = globus_sdk.ConfidentialAppAuthClient(
        seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
    )
    tokens = client.oauth2_client_credentials_tokens(
        globus_sdk.TransferClient.scopes.all
    )
    authorizer = globus_sdk.AccessTokenAuthorizer(tokens["access_token"])
    with client, globus_sdk.TransferClient(authorizer=authorizer) as transfer:
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            transfer.operation_ls(seed.TUTORIAL_1)
        consent = caught.value.info.consent_required
        client.oauth2_client_credentials_tokens(consent.required_scopes)
        assert transfer.operation_ls(seed.TUTORIAL_1).http_status == 200


def test_check_43_high_assurance_wants_a_fresh_sign_in(sandbox, transfer_as):
    client = transfer_as("ada")
    assert client.operation_ls(seed.CLINICAL, path="/").http_status == 200
    sandbox.advance(31 * 60)
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.CLINICAL, path="/")
    assert (caught.value.http_status, caught.value.code) == (403, "AuthPolicyFailed")
    gare = to_gare(caught.value)
    assert gare is not None
    parameters = gare.authorization_parameters
    assert parameters.session_required_single_domain == ["university.example"]
    assert transfer_as("ada").operation_ls(seed.CLINICAL, path="/")
    with pytest.raises(globus_sdk.TransferAPIError):
        transfer_as("mallory").operation_ls(seed.CLINICAL, path="/")


def test_check_44_private_collections_and_guests(transfer_as):
    ada = transfer_as("ada")
    for call in (ada.get_endpoint, ada.operation_ls):
        with pytest.raises(globus_sdk.TransferAPIError) as caught:
            call(seed.VAULT)
        assert caught.value.http_status == 403
    assert names(ada.endpoint_search("vault")) == []
    assert transfer_as("root").get_endpoint(seed.VAULT)["public"] is False
    grace = transfer_as("grace")
    assert names(grace.my_shared_endpoint_list(seed.RESEARCH)) == [
        "Spring campaign (shared)"
    ]
    with pytest.raises(globus_sdk.TransferAPIError):
        transfer_as("mallory").operation_ls(seed.SHARED, path="/")


def test_an_unknown_collection(transfer_as):
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        transfer_as("ada").get_endpoint("00000000-0000-4000-8000-000000000000")
    assert (caught.value.http_status, caught.value.code) == (404, "EndpointNotFound")


def test_a_guest_rule_reaches_as_far_as_its_path(transfer_as):
    ada = transfer_as("ada")
    ada.operation_mkdir(seed.SHARED, "/incoming/mine")
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        ada.operation_mkdir(seed.SHARED, "/results/mine")
    assert caught.value.code == "EndpointPermissionDenied"


def test_a_personal_collection_may_be_offline(sandbox, transfer_as):
    client = transfer_as("ada")
    sandbox.collection(seed.LAPTOP, connected=False)
    assert client.get_endpoint(seed.LAPTOP)["gcp_connected"] is False
    with pytest.raises(globus_sdk.TransferAPIError) as caught:
        client.operation_ls(seed.LAPTOP, path="/")
    assert caught.value.http_status == 502
    assert str(caught.value.code).endswith("GCDisconnected")
