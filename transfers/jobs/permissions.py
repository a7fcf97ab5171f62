"""Who may do what with jobs: the one place that decides it, for pages and commands.

=========================  ======  ====  ====  ====
Who                        create  see   run   edit
=========================  ======  ====  ====  ====
nobody signed in           no      no    no    no
researcher                 no      no    no    no
staff                      yes     as below
administrator              yes     yes   yes   yes
=========================  ======  ====  ====  ====

Staff may do everything with the jobs that they own and with those that are shared with
no group at all. A job that is shared with groups is shown to their members only, and
each group may run or edit it as the job says; whoever may edit may also run.

*Run* is: run now, run again, stop a run. *Edit* is everything that changes the job:
its form, pause, archive, export of its key. Whoever runs or edits acts as the job's
service account, so ``may_act_as`` has to hold too.
"""

from __future__ import annotations

from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Role, ServiceAccount, User
from portal.globus.errors import PortalError
from transfers.jobs.models import Job, Run
from transfers.jobs.roles import JobRole

Person = User | AnonymousUser


class Action(StrEnum):
    SEE = "see"
    RUN = "run"
    EDIT = "edit"


class MayNot(PortalError):
    title = "This is for other people"
    status = 403

    def __init__(self, action: Action, job: Job) -> None:
        super().__init__(
            f"You may not {action} the job “{job}”. Its owner, {job.owner}, and the "
            "administrators can share it with a group of yours."
        )


_COLUMNS = {Action.SEE: Q(), Action.RUN: Q(can_run=True) | Q(can_edit=True)}
_COLUMNS[Action.EDIT] = Q(can_edit=True)


def is_staff(user: Person) -> bool:
    """Whether the pages of jobs are for this person at all; also who may make one."""
    return isinstance(user, User) and user.is_active and user.is_staff


def jobs_open_to(user: Person, action: Action = Action.SEE) -> QuerySet[Job]:
    """The jobs with which ``user`` may do this."""
    return Job.objects.filter(_open_to(user, action))


def runs_open_to(user: Person, action: Action = Action.SEE) -> QuerySet[Run]:
    return Run.objects.filter(job__in=jobs_open_to(user, action))


def may(user: Person, action: Action, job: Job) -> bool:
    return jobs_open_to(user, action).filter(pk=job.pk).exists()


def check(user: Person, action: Action, job: Job) -> None:
    """:raises MayNot: with a sentence that names whom to ask"""
    if not may(user, action, job):
        raise MayNot(action, job)


def _open_to(user: Person, action: Action) -> Q:
    if not isinstance(user, User) or not is_staff(user):
        return Q(pk__in=[])
    if user.is_superuser:
        return Q()
    roles = JobRole.objects.filter(job=OuterRef("pk"))
    mine = roles.filter(_COLUMNS[action], group__in=user.groups.all())
    found = Q(owner=user) | ~Q(Exists(roles)) | Q(Exists(mine))
    if action != Action.SEE:
        found &= Q(service_account__in=accounts_open_to(user))
    return found


def accounts_open_to(user: User) -> QuerySet[ServiceAccount]:
    """The service accounts that this person may let act."""
    return ServiceAccount.objects.open_to(user, Role.USE)
