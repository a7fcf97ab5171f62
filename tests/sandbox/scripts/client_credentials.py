"""A service account finds its own collections by the client credentials grant.

After https://globus-sdk-python.readthedocs.io/en/stable/ (Client Credentials
Authentication), with its ids from the environment.
"""

import os

import globus_sdk

SCOPES = "urn:globus:auth:scope:transfer.api.globus.org:all"

client = globus_sdk.ConfidentialAppAuthClient(
    os.environ["GLOBUS_CLI_CLIENT_ID"], os.environ["GLOBUS_CLI_CLIENT_SECRET"]
)
tokens = client.oauth2_client_credentials_tokens(f"openid profile email {SCOPES}")
auth_token = tokens.by_resource_server["auth.globus.org"]["access_token"]
transfer_token = tokens.by_resource_server["transfer.api.globus.org"]["access_token"]
assert auth_token != transfer_token

authorizer = globus_sdk.ClientCredentialsAuthorizer(client, SCOPES)
transfer = globus_sdk.TransferClient(authorizer=authorizer)
for endpoint in transfer.endpoint_search(filter_scope="my-endpoints"):
    print(f"[{endpoint['id']}] {endpoint['display_name']}")
