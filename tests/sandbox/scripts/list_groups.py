"""A person's groups as CSV, by a native app with refresh tokens in a file.

After https://globus-sdk-python.readthedocs.io/en/stable/ (Groups: list my groups,
with RefreshTokens). The first argument names the file.
"""

import sys

import globus_sdk
from globus_sdk.token_storage import JSONTokenStorage

CLIENT_ID = "61338d24-54d5-408f-a10d-66c06b59f6d2"

client = globus_sdk.NativeAppAuthClient(CLIENT_ID)
storage = JSONTokenStorage(sys.argv[1])

if not storage.file_exists():
    client.oauth2_start_flow(
        requested_scopes=globus_sdk.GroupsClient.scopes.view_my_groups_and_memberships,
        refresh_tokens=True,
    )
    url = client.oauth2_get_authorize_url()
    print(f"Please go to this URL and login:\n\n{url}\n", flush=True)
    code = input("Please enter the code here: ").strip()
    storage.store_token_response(client.oauth2_exchange_code_for_tokens(code))

tokens = storage.get_token_data(globus_sdk.GroupsClient.resource_server)
assert tokens is not None
assert tokens.refresh_token is not None
authorizer = globus_sdk.RefreshTokenAuthorizer(
    tokens.refresh_token,
    client,
    access_token=tokens.access_token,
    expires_at=tokens.expires_at_seconds,
    on_refresh=storage.store_token_response,
)
groups = globus_sdk.GroupsClient(authorizer=authorizer)

print("ID,Name,Roles")
for group in groups.get_my_groups():
    roles = "|".join(sorted({one["role"] for one in group["my_memberships"]}))
    print(",".join([group["id"], f'"{group["name"]}"', roles]))
