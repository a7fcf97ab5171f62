"""``manage.py seed_demo``: a service account with two jobs, for the demo."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from accounts.models import (
    ServiceAccount,
    ServiceAccountRole,
    ServiceAccountSecret,
    User,
)
from accounts.service_accounts import replace_secret
from portal.env import BadSetting, env_secret, env_str
from transfers.jobs import versions
from transfers.jobs.models import Job

OWNER = "demo-operator"
ACCOUNT = "Nightly harvest"
TUTORIAL_1 = "6c54cade-bde5-45c1-bdea-f4bd71dba2cc"
HARVEST = "a09f914b-7c8e-55c2-925d-98c69f4b4ca9"
ARCHIVE = "54a268b2-b7c4-59d9-9f82-5262a2122ecd"


class Command(BaseCommand):
    help = (
        "Makes the demo's service account and its jobs demo-list and demo-transfer. "
        "Again is harmless. The client id and secret come from the options, from "
        "DEMO_SERVICE_ACCOUNT_ID and DEMO_SERVICE_ACCOUNT_SECRET (or …_FILE), or from "
        "GLOBUS_CLI_CLIENT_ID and GLOBUS_CLI_CLIENT_SECRET."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--client-id", type=UUID)
        parser.add_argument("--secret-file", help="a file that holds the secret")
        parser.add_argument("--list-collection", type=UUID, default=UUID(TUTORIAL_1))
        parser.add_argument("--list-path", default="/home/share/godata/")
        parser.add_argument("--source-collection", type=UUID, default=UUID(HARVEST))
        parser.add_argument("--source-path", default="/sensors/")
        parser.add_argument(
            "--destination-collection", type=UUID, default=UUID(ARCHIVE)
        )
        parser.add_argument("--destination-path", default="/incoming/sensors/")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        client_id, secret = credential(options)
        owner = local_user(OWNER)
        account, _ = ServiceAccount.objects.update_or_create(
            client_id=client_id,
            defaults={
                "name": ACCOUNT,
                "owner": owner,
                "purpose": "Shows what a service account does.",
                "enabled": True,
            },
        )
        if not holds(account, secret):
            replace_secret(account, secret, by=owner)
        ServiceAccountRole.objects.update_or_create(
            service_account=account, all_staff=True, defaults={"can_use": True}
        )
        for job in (list_job(options), transfer_job(options)):
            job.service_account, job.owner = account, owner
            store(job)
            versions.record(job, by=owner)
            self.stdout.write(
                f"{job.name}: {job.get_kind_display()}, {job.source_path}"
            )


def credential(options: dict[str, Any]) -> tuple[UUID, str]:
    """:raises CommandError: one of the two is missing"""
    try:
        text = str(options["client_id"] or env_str("DEMO_SERVICE_ACCOUNT_ID", ""))
        client_id = UUID(text or env_str("GLOBUS_CLI_CLIENT_ID"))
        return client_id, options_secret(options["secret_file"])
    except (BadSetting, ValueError, OSError) as err:
        raise CommandError(
            f"No service account to seed: {err} Set DEMO_SERVICE_ACCOUNT_ID and "
            "DEMO_SERVICE_ACCOUNT_SECRET, or use --client-id and --secret-file."
        ) from err


def options_secret(file: str | None) -> str:
    if file:
        return Path(file).read_text().strip()
    return env_secret("DEMO_SERVICE_ACCOUNT_SECRET", "") or env_secret(
        "GLOBUS_CLI_CLIENT_SECRET"
    )


def local_user(username: str) -> User:
    """Owns the account and the jobs; nobody can sign in as it."""
    user = User.objects.filter(username=username, identity_id=None).first()
    if user is None:
        user = User(username=username, name="Demo operator")
        user.set_unusable_password()
        user.save()
    return user


def holds(account: ServiceAccount, secret: str) -> bool:
    active = account.secrets.filter(state=ServiceAccountSecret.State.ACTIVE).first()
    return active is not None and active.open().reveal() == secret


def list_job(options: dict[str, Any]) -> Job:
    return Job(
        name="demo-list",
        kind=Job.Kind.LIST,
        source_collection=options["list_collection"],
        source_path=options["list_path"],
    )


def transfer_job(options: dict[str, Any]) -> Job:
    return Job(
        name="demo-transfer",
        kind=Job.Kind.TRANSFER,
        source_collection=options["source_collection"],
        source_path=options["source_path"],
        destination_collection=options["destination_collection"],
        destination_path=options["destination_path"],
        label="Demo: sensors to the archive",
    )


def store(job: Job) -> None:
    """Over the job of this name, if there is one: its runs stay."""
    earlier = Job.objects.filter(name=job.name).first()
    if earlier is not None:
        job.pk = earlier.pk
        job.created_at = earlier.created_at
        job._state.adding = False
    job.full_clean()
    job.save()
