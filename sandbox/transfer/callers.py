"""Who is calling Transfer, or whose task is running."""

from dataclasses import dataclass
from functools import cached_property

from sandbox.models import BrowserSession, Identity, Membership, Task, Token
from sandbox.remembered import remembered


@dataclass
class Caller:
    """An identity that acts through a client, out of a session of the browser."""

    identity: Identity
    client_id: str
    session: BrowserSession | None
    #: the timer that acts for the identity; "" is the identity itself
    timer_id: str = ""

    @classmethod
    def of_token(cls, token: Token) -> "Caller":
        return cls(token.identity, token.client_id, token.session)

    @classmethod
    def of_task(cls, task: Task) -> "Caller":
        return cls(task.owner, task.client_id, task.session, timer_id=task.timer_id)

    @cached_property
    def identity_ids(self) -> frozenset[str]:
        """The caller's identity set."""
        if self.identity.is_client:
            return frozenset({self.identity.pk})
        return _linked(self.identity.person)

    @cached_property
    def group_ids(self) -> frozenset[str]:
        return _groups_of(self.identity_ids)

    @property
    def local_user(self) -> str:
        """The account that a mapped collection gives to this identity."""
        return self.identity.person


@remembered
def _linked(person: str) -> frozenset[str]:
    """The identities of one person."""
    linked = Identity.objects.filter(person=person)
    return frozenset(linked.values_list("pk", flat=True))


@remembered
def _groups_of(identity_ids: frozenset[str]) -> frozenset[str]:
    """The groups of which any of these identities is an active member."""
    active = Membership.objects.filter(identity__in=identity_ids, status="active")
    return frozenset(active.values_list("group_id", flat=True))
