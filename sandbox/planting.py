"""Makes the seeded world: the same rows and the same bytes every time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection, transaction

from sandbox import clock, seed, seed_files, trees
from sandbox.auth.identities import CLIENT_PROVIDER_ID, CLIENT_PROVIDER_NAME
from sandbox.auth.tokens import hashed
from sandbox.models import (
    AccessRule,
    Client,
    Collection,
    Group,
    Identity,
    Membership,
    Policy,
    Role,
    Setting,
)
from sandbox.runtime import runtime
from sandbox.seed_manifest import Manifest

GCS_MAPPED = "GCSv5_mapped_collection"
GCS_GUEST = "GCSv5_guest_collection"
GCP_MAPPED = "GCP_mapped_collection"


def wipe() -> None:
    """Empty every table and every collection."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("PRAGMA defer_foreign_keys = ON")
        for model in apps.get_app_config("sandbox").get_models():
            cursor.execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608
    trees.remove(str(runtime.collections))


@dataclass(frozen=True)
class Planted:
    """Every row, ``{table: [row, …]}``, and every file as it was planted."""

    rows: dict[str, list[tuple[Any, ...]]]
    files: Manifest


_planted: Planted | None = None


def replant() -> None:
    """The seeded state again, whatever has happened since.

    Rows come from a copy that is kept in memory; of the files only those that were
    changed are written. Both together take a few milliseconds, and a test suite
    does this hundreds of times.
    """
    if _planted is None:
        wipe()
        if runtime.seed == "demo":
            plant()
        remember()
        return
    _restore_rows(_planted.rows)
    _planted.files.restore(_write_files if runtime.seed == "demo" else None)


def remember() -> None:
    """Keep the state of now for ``replant``."""
    global _planted
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config("sandbox").get_models():
            table = model._meta.db_table
            cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 - our own names
            rows[table] = cursor.fetchall()
    _planted = Planted(rows, Manifest.of(runtime.collections))


def _restore_rows(rows: dict[str, list[tuple[Any, ...]]]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("PRAGMA defer_foreign_keys = ON")
        for table in rows:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        for table, kept in rows.items():
            if kept:
                marks = ", ".join(["%s"] * len(kept[0]))
                cursor.executemany(
                    f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
                    kept,
                )


def is_planted() -> bool:
    """Whether the demo was planted in this database."""
    return Setting.objects.filter(name="seed").exists()


def plant() -> None:
    """Make the demo's rows and files in empty tables and directories."""
    with transaction.atomic():
        _people()
        _clients()
        _policies()
        _groups()
        _collections()
        _rules()
        Setting.objects.update_or_create(name="seed", defaults={"value": "demo"})
    _write_files()


def _write_files() -> None:
    seed_files.write(
        runtime.collections,
        tutorials=(seed.TUTORIAL_1, seed.TUTORIAL_2),
        research=seed.RESEARCH,
        clinical=seed.CLINICAL,
        laptop=seed.LAPTOP,
        vault=seed.VAULT,
        harvest=seed.HARVEST,
        archive=seed.ARCHIVE,
    )


def register_redirect_uris(
    uris: Iterable[str], *, client_id: str = seed.PORTAL_CLIENT_ID
) -> None:
    """Add redirect URIs to a client, if it exists."""
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        return
    client.redirect_uris = list(dict.fromkeys([*client.redirect_uris, *uris]))
    client.save(update_fields=["redirect_uris"])


def _person(
    identity_id: str, person: str, username: str, name: str, **more: Any
) -> None:
    is_university = username.endswith(seed.UNIVERSITY_DOMAIN)
    Identity.objects.create(
        id=identity_id,
        person=person,
        username=username,
        name=name,
        email=username,
        organization=seed.UNIVERSITY if is_university else seed.LAB,
        provider=seed.UNIVERSITY_ID if is_university else seed.LAB_ID,
        provider_name=seed.UNIVERSITY if is_university else seed.LAB,
        **more,
    )


def _people() -> None:
    for short_name, one in seed.PEOPLE.items():
        _person(one.id, short_name, one.username, one.name, is_primary=True)
    _person(seed.ADA_LAB_ID, "ada", seed.ADA_LAB, seed.PEOPLE["ada"].name)


def _client(client_id: str, name: str, kind: Client.Kind, uris: list[str]) -> None:
    secret = seed.SECRETS.get(client_id)
    Client.objects.create(
        id=client_id,
        name=name,
        kind=kind,
        secret_hash=hashed(secret) if secret else "",
        redirect_uris=uris,
    )
    Identity.objects.create(
        id=client_id,
        person=client_id,
        username=f"{client_id}@clients.auth.globus.org",
        name=name,
        provider=CLIENT_PROVIDER_ID,
        provider_name=CLIENT_PROVIDER_NAME,
        is_client=True,
    )


def _clients() -> None:
    confidential = Client.Kind.CONFIDENTIAL
    _client(
        seed.PORTAL_CLIENT_ID,
        "Causeway Portal",
        confidential,
        [seed.PORTAL_REDIRECT_URI],
    )
    _client(seed.HARVEST_CLIENT_ID, "Nightly harvest", confidential, [])
    _client(seed.ARCHIVE_CLIENT_ID, "Archive keeper", confidential, [])
    _client(seed.TRANSFER_CLIENT_ID, "Globus Transfer", confidential, [])
    _client(seed.TIMERS_CLIENT_ID, "Globus Timers", confidential, [])
    _client(seed.NATIVE_CLIENT_ID, "SDK Tutorial", Client.Kind.NATIVE, [])
    _client(seed.CLI_TEMPLATE_ID, "Globus CLI", Client.Kind.TEMPLATE, [])


def _policies() -> None:
    Policy.objects.create(
        id=seed.POLICY_UNIVERSITY,
        display_name="A university sign-in of the last half hour",
        domains=[seed.UNIVERSITY_DOMAIN],
        timeout_seconds=1_800,
    )
    Policy.objects.create(
        id=seed.POLICY_MFA, display_name="A second factor", required_mfa=True
    )


_MEMBERS: dict[tuple[str, str, str], dict[str, tuple[str, str]]] = {
    (seed.GROUP_USERS, "Portal users", "May sign in to the portal"): {
        seed.ADA_ID: ("member", "active"),
        seed.GRACE_ID: ("member", "active"),
        seed.ROOT_ID: ("admin", "active"),
    },
    (seed.GROUP_STAFF, "Portal staff", "Run jobs for everybody"): {
        seed.GRACE_ID: ("manager", "active"),
        seed.ROOT_ID: ("admin", "active"),
    },
    (seed.GROUP_ADMINS, "Portal admins", "Look after the portal's credentials"): {
        seed.ROOT_ID: ("admin", "active"),
    },
    (seed.GROUP_GENOMICS, "Genomics, spring campaign", "Reads, variants and notes"): {
        seed.ADA_ID: ("admin", "active"),
        seed.ADA_LAB_ID: ("member", "active"),
        seed.GRACE_ID: ("member", "active"),
    },
    (
        seed.GROUP_TELESCOPE,
        "Telescope night shift",
        "Who may read last night's frames",
    ): {
        seed.ADA_ID: ("member", "active"),
        seed.GRACE_ID: ("manager", "active"),
    },
    (seed.GROUP_INVITATION, 'Climate "reanalysis", 2026', "By invitation"): {
        seed.ADA_ID: ("member", "invited"),
        seed.GRACE_ID: ("admin", "active"),
    },
}


def _groups() -> None:
    for (group_id, name, description), members in _MEMBERS.items():
        Group.objects.create(
            id=group_id,
            name=name,
            description=description,
            policies={
                "group_visibility": "private",
                "group_members_visibility": "members",
            },
        )
        for identity_id, (role, status) in members.items():
            Membership.objects.create(
                group_id=group_id, identity_id=identity_id, role=role, status=status
            )


_COLLECTIONS: dict[tuple[str, str, str], dict[str, Any]] = {
    **{
        (one, f"Globus Tutorial Collection {number}", seed.ROOT_ID): {
            "organization": "Globus",
            "description": "Small files to try things with. A stand-in: not Globus.",
            "keywords": "tutorial,example",
            "homes": True,
        }
        for number, one in enumerate((seed.TUTORIAL_1, seed.TUTORIAL_2), 1)
    },
    (seed.RESEARCH, "Example University Research Storage", seed.ROOT_ID): {
        "department": "Research Computing",
        "description": (
            "Project space for all groups: instruments, simulations, archives"
        ),
        "keywords": "storage,genomics,astronomy",
        "homes": True,
        "user_message": "Maintenance on the first Monday of each month.",
    },
    (seed.SHARED, "Spring campaign (shared)", seed.GRACE_ID): {
        "entity_type": GCS_GUEST,
        "host_id": seed.RESEARCH,
        "host_path": "/projects/spring-campaign",
        "root": seed.RESEARCH,
        "description": "Sequencing runs and field notes of the spring campaign",
        "keywords": "genomics,field work",
        "public": False,
    },
    (seed.CLINICAL, "Clinical Imaging (high assurance)", seed.ROOT_ID): {
        "department": "Medical Physics",
        "description": "Protected data. Needs a fresh sign-in with the university.",
        "high_assurance": True,
        "session_domain": seed.UNIVERSITY_DOMAIN,
        "authentication_timeout_mins": 30,
    },
    (seed.LAPTOP, "Ada's laptop", seed.ADA_ID): {
        "entity_type": GCP_MAPPED,
        "endpoint_id": None,
        "description": "Globus Connect Personal",
        "public": False,
    },
    (seed.VAULT, "Institute vault", seed.ROOT_ID): {
        "entity_type": GCP_MAPPED,
        "endpoint_id": None,
        "description": "Private to its owner",
        "public": False,
    },
    (seed.HARVEST, "Nightly harvest drop box", seed.HARVEST_CLIENT_ID): {
        "entity_type": GCP_MAPPED,
        "endpoint_id": None,
        "description": "Where the service account puts what it collects",
    },
    (seed.ARCHIVE, "Long-term archive", seed.ARCHIVE_CLIENT_ID): {
        "entity_type": GCP_MAPPED,
        "endpoint_id": None,
        "description": "Kept for ten years; written by the archive keeper only",
    },
}


def _collections() -> None:
    for (collection_id, name, owner), fields in _COLLECTIONS.items():
        Collection.objects.create(
            **{
                "id": collection_id,
                "display_name": name,
                "owner_id": owner,
                "root": collection_id,
                "entity_type": GCS_MAPPED,
                "endpoint_id": seed.TUTORIAL_ENDPOINT,
                "organization": seed.UNIVERSITY,
                "contact_email": "data@university.example",
                **fields,
            }
        )


def _rule(
    number: int,
    collection: str,
    kind: str,
    principal: str,
    path: str,
    permissions: str,
) -> None:
    AccessRule.objects.create(
        id=f"5eed0000-0000-4000-8000-{number:012d}",
        collection_id=collection,
        principal_type=kind,
        principal=principal,
        path=path,
        permissions=permissions,
        created_at=clock.now(),
    )


def _rules() -> None:
    """Read for everybody on the open collections; the guest's rules are its point."""
    everybody = "all_authenticated_users"
    for number, one in enumerate(
        (seed.TUTORIAL_1, seed.TUTORIAL_2, seed.RESEARCH, seed.CLINICAL), 1
    ):
        _rule(number, one, everybody, "", "/", "r")
    _rule(10, seed.SHARED, "identity", seed.ADA_ID, "/", "r")
    _rule(11, seed.SHARED, "identity", seed.ADA_ID, "/incoming/", "rw")
    _rule(12, seed.SHARED, "group", seed.GROUP_GENOMICS, "/results/", "r")
    _rule(13, seed.SHARED, "identity", seed.HARVEST_CLIENT_ID, "/", "rw")
    _rule(20, seed.HARVEST, everybody, "", "/", "r")
    _rule(21, seed.ARCHIVE, everybody, "", "/published/", "r")
    _rule(22, seed.ARCHIVE, "identity", seed.HARVEST_CLIENT_ID, "/incoming/", "rw")
    Role.objects.create(
        id="5eed0000-0000-4000-8000-000000000101",
        collection_id=seed.SHARED,
        principal=seed.ADA_ID,
        role="access_manager",
    )
