"""A service account lists a tutorial collection through a ClientApp.

After https://globus-sdk-python.readthedocs.io/en/stable/user_guide/ (Using a
ClientApp with a Service Account), with its ids from the environment.
"""

import os

import globus_sdk

TUTORIAL_COLLECTION = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"

with (
    globus_sdk.ClientApp(
        "sample-app",
        client_id=os.environ["GLOBUS_CLI_CLIENT_ID"],
        client_secret=os.environ["GLOBUS_CLI_CLIENT_SECRET"],
        config=globus_sdk.GlobusAppConfig(token_storage="memory"),
    ) as app,
    globus_sdk.TransferClient(app=app) as transfer,
):
    transfer.add_app_data_access_scope(TUTORIAL_COLLECTION)
    for item in transfer.operation_ls(TUTORIAL_COLLECTION, path="/home/share/godata"):
        print(item["name"])
