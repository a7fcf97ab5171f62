"""Every command of section 1.3 of globus-services.md, run by a client identity.

Each ends with the exit status that it has at Globus: 0, but for the two that do not
fit a collection. ``test_cli_writes.py`` has those that make or change things beside
files and tasks.
"""

from dataclasses import dataclass

import globus_sdk
import pytest

from sandbox import seed
from tests.sandbox.cli import Cli
from tests.sandbox.waiting import finished

BOX = seed.HARVEST
MAPPED = seed.TUTORIAL_1
DATE = "2026-01-01"


@dataclass
class World:
    """A sandbox in which a client identity has files, tasks and a bookmark."""

    cli: Cli
    transfer: globus_sdk.TransferClient
    submitted: int = 0

    def task(self, *, held: bool) -> str:
        """A transfer of the client identity, finished or kept ACTIVE."""
        self.cli.sandbox.set(hold_tasks=held)
        self.submitted += 1
        document = globus_sdk.TransferData(BOX, BOX, label="of the world")
        document.add_item("/README.txt", f"/copies/{self.submitted}.txt")
        task_id = str(self.transfer.submit_transfer(document)["task_id"])
        if not held:
            finished(self.transfer, task_id)
        return task_id


@pytest.fixture(scope="module")
def world(running_sandbox, tmp_path_factory):
    running_sandbox.reset()
    cli = Cli(running_sandbox, tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in running_sandbox.environment.items():
            patch.setenv(name, value)
        app = globus_sdk.ConfidentialAppAuthClient(
            seed.HARVEST_CLIENT_ID, seed.HARVEST_CLIENT_SECRET
        )
        tokens = app.oauth2_client_credentials_tokens(
            "urn:globus:auth:scope:transfer.api.globus.org:all"
        )
        transfer = globus_sdk.TransferClient(
            authorizer=globus_sdk.AccessTokenAuthorizer(tokens["access_token"])
        )
    for folder in ("/tree/one/two", "/gone"):
        running_sandbox.generate(BOX, folder, 2)
    made = World(cli, transfer)
    transfer.post(
        "/v0.10/bookmark",
        data={
            "DATA_TYPE": "bookmark",
            "name": "box",
            "endpoint_id": BOX,
            "path": "/tree/",
        },
    )
    yield made
    app.close()
    transfer.close()
    running_sandbox.reset()


COMMANDS = {
    "whoami": (["whoami"], "@clients.auth.globus.org"),
    "get-identities name": (["get-identities", seed.ADA], seed.ADA_ID),
    "get-identities id": (["get-identities", seed.GRACE_ID], seed.GRACE),
    "session show": (["session", "show"], "Username"),
    "ls": (["ls", f"{BOX}:/"], "README.txt"),
    "ls of a mapped collection": (["ls", f"{MAPPED}:/share/godata"], "file1.txt"),
    "ls ordered": (
        f"ls -a {BOX}:/ --orderby name:ASC --orderby size:DESC".split(),
        "tree/",
    ),
    "ls recursive": (
        ["ls", "-r", f"{BOX}:/tree", "--filter", "~*.dat"],
        "one/two/file-000001.dat",
    ),
    "stat": (["stat", f"{BOX}:/README.txt"], "Size:          20"),
    "stat of nothing": (["stat", f"{BOX}:/none"], "Nothing found at /none"),
    "mkdir": (["mkdir", f"{BOX}:/made"], "successfully"),
    "rename": (["rename", BOX, "/made", "/renamed"], "successfully"),
    "transfer": (["transfer", f"{BOX}:/README.txt", f"{BOX}:/b.txt"], "Task ID"),
    "transfer of a folder": (
        ["transfer", "-r", f"{BOX}:/tree", f"{BOX}:/tree2", "--label", "tree"],
        "Task ID",
    ),
    "delete": (["delete", "-r", f"{BOX}:/gone"], "Task ID"),
    "rm": (["rm", f"{BOX}:/b.txt", "--polling-interval", "1"], "Delete task submitted"),
    "task list": (["task", "list"], "Task ID"),
    "task list filtered": (
        "task list --filter-status ACTIVE --filter-label x --filter-type TRANSFER "
        f"--filter-requested-after {DATE} --filter-completed-before {DATE}".split(),
        "Task ID",
    ),
    "task show": (["task", "show", "{done}"], "SUCCEEDED"),
    "task show successes": (
        ["task", "show", "{done}", "--successful-transfers"],
        "/README.txt",
    ),
    "task show skips": (["task", "show", "{done}", "--skipped-errors"], ""),
    "task wait": (["task", "wait", "{done}", "--polling-interval", "1"], ""),
    "task cancel": (["task", "cancel", "{held}"], "cancelled successfully"),
    "task cancel all": (["task", "cancel", "--all"], "{held}"),
    "task update": (["task", "update", "{held}", "--label", "q"], "Success"),
    "task event-list": (["task", "event-list", "{done}"], "SUCCEEDED"),
    "task errors": (["task", "event-list", "{done}", "--filter-errors"], ""),
    "task progress": (["task", "event-list", "{done}", "--filter-non-errors"], ""),
    "task pause-info": (["task", "pause-info", "{held}"], "is not paused"),
    "endpoint search": (["endpoint", "search", "tutorial"], MAPPED),
    "endpoint show": (["endpoint", "show", BOX], "Nightly harvest drop box"),
    "endpoint role list": (["endpoint", "role", "list", BOX], "Role"),
    "bookmark list": (["bookmark", "list"], "box"),
    "group list": (["group", "list"], "Group ID"),
    "api transfer": (["api", "transfer", "GET", f"/endpoint/{BOX}"], "entity_type"),
    "api auth": (
        ["api", "auth", "GET", "/v2/api/identities", "-Q", f"usernames={seed.ADA}"],
        seed.ADA_ID,
    ),
    "logout": (["logout", "--yes"], "successfully revoked all CLI tokens"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_command(world, name):
    arguments, wanted = COMMANDS[name]
    text = " ".join([*arguments, wanted])
    places = {}
    if "{done}" in text:
        places["{done}"] = world.task(held=False)
    if "{held}" in text:
        places["{held}"] = world.task(held=True)
    ended = world.cli(*(places.get(one, one) for one in arguments))
    world.cli.sandbox.set(hold_tasks=False)
    assert ended.code == 0, ended
    for place, task_id in places.items():
        wanted = wanted.replace(place, task_id)
    assert wanted in ended.out + ended.err, ended


#: command, exit status, and what it says
FAILING = {
    "endpoint show of a collection": (
        ["endpoint", "show", MAPPED],
        3,
        f"globus gcs collection show {MAPPED}",
    ),
    # There is no Globus Connect Server manager behind a collection.
    "gcs collection show": (["gcs", "collection", "show", MAPPED], 1, ""),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_command_that_fails_as_at_globus(world, name):
    arguments, code, says = FAILING[name]
    ended = world.cli(*arguments)
    assert ended.code == code, ended
    assert says in ended.out + ended.err
