"""What a sign-in must show: ``session_required_*``, ``prompt`` and ``max_age``.

The parameters are those of globus-services.md section 2.2. A requirement looks at the
proofs of the browser's session: who signed in, when, and with how many factors.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import clock
from sandbox.knobs import current as knobs
from sandbox.models import BrowserSession, Identity, Policy

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MFA = "mfa"

Proofs = dict[Identity, dict[str, Any]]


class BadRequirement(ValueError):
    """A parameter that is no requirement, or names an unknown policy."""


@dataclass(frozen=True)
class Requirements:
    """What an authorization request wants of the session, read and checked."""

    identities: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    policies: tuple[Policy, ...] = ()
    mfa: bool = False
    max_age: int | None = None
    prompts: frozenset[str] = frozenset()

    @property
    def wants_fresh(self) -> bool:
        """Whether only sign-ins count that are made for this very request."""
        is_step_up = bool(self.identities or self.domains or self.policies or self.mfa)
        forced = knobs.session_requirements_force_login and is_step_up
        return "login" in self.prompts or forced


def read(parameters: Mapping[str, str]) -> Requirements:
    """The requirements of an authorization request.

    :raises BadRequirement: with a sentence for the client
    """
    prefix = "session_required_"
    return Requirements(
        identities=tuple(
            _identity_id(name) for name in _list(parameters, "identities")
        ),
        domains=tuple(
            one.lower().removeprefix("@") for one in _list(parameters, "single_domain")
        ),
        policies=tuple(_policy(one) for one in _list(parameters, "policies")),
        mfa=_flag(parameters.get(f"{prefix}mfa", "")),
        max_age=_seconds(parameters.get("max_age", "")),
        prompts=_prompts(parameters.get("prompt", "")),
    )


def _list(parameters: Mapping[str, str], name: str) -> list[str]:
    text = parameters.get(f"session_required_{name}", "")
    return [one.strip() for one in text.split(",") if one.strip()]


def _identity_id(name: str) -> str:
    """The id of an identity that is named by id or username."""
    named = Identity.objects.filter(username=name).first()
    return named.pk if named else name


def _policy(policy_id: str) -> Policy:
    policy = Policy.objects.filter(pk=policy_id.lower()).first()
    if policy is None:
        raise BadRequirement(f"Unknown policy {policy_id}")
    return policy


def _flag(text: str) -> bool:
    """Any case: the SDK sends Python's ``True`` (section 2.2)."""
    if text.lower() not in ("", "true", "false"):
        raise BadRequirement("session_required_mfa is true or false")
    return text.lower() == "true"


def _seconds(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequirement("max_age is a number of seconds")
    return int(text)


def _prompts(text: str) -> frozenset[str]:
    """OpenID Connect Core section 3.1.2.1: ``none`` stands alone."""
    prompts = frozenset(text.split())
    if not prompts <= PROMPTS:
        raise BadRequirement("prompt is one of none, login, consent, select_account")
    if "none" in prompts and len(prompts) > 1:
        raise BadRequirement("prompt=none stands alone")
    return prompts


def missing(
    wanted: Requirements, session: BrowserSession | None, began: float
) -> list[str]:
    """What the session does not show yet, in words; empty when it suffices.

    :param began: when the browser was first asked; only later sign-ins are fresh
    """
    proofs = _proofs(session, began if wanted.wants_fresh else None)
    words = []
    if not proofs:
        words.append("sign in again" if session else "sign in")
    words += [f"sign in as {_name(one)}" for one in _missing_ids(wanted, proofs)]
    if domains := _missing_domains(wanted, proofs):
        words.append(f"sign in with {_joined(domains, knobs.required_domains)}")
    if policies := _missing_policies(wanted, proofs):
        names = [f"“{policy.display_name}”" for policy in policies]
        several = "policies" if len(names) > 1 else "policy"
        words.append(f"satisfy the {several} {_joined(names, knobs.required_policies)}")
    if wanted.mfa and not any(_has_mfa(proof) for proof in proofs.values()):
        words.append("use a second factor")
    if proofs and _is_too_old(wanted, proofs):
        words.append("sign in again, the last time is too long ago")
    return words


def _proofs(session: BrowserSession | None, since: float | None) -> Proofs:
    if session is None:
        return {}
    known = Identity.objects.filter(pk__in=session.authentications)
    every = {one: session.authentications[one.pk] for one in known}
    return {
        one: proof
        for one, proof in every.items()
        if since is None or proof["auth_time"] >= since
    }


def _joined(names: Sequence[str], how_many: str) -> str:
    return (" or " if how_many == "any" else " and ").join(names)


def _missing_domains(wanted: Requirements, proofs: Proofs) -> tuple[str, ...]:
    """The domains of which nobody signed in; with ``any`` one of them is enough."""
    lacking = tuple(
        domain
        for domain in wanted.domains
        if not any(_is_of(one, (domain,)) for one in proofs)
    )
    is_enough = knobs.required_domains == "any" and len(lacking) < len(wanted.domains)
    return () if is_enough else lacking


def _missing_policies(wanted: Requirements, proofs: Proofs) -> tuple[Policy, ...]:
    """The policies that the session lacks; with ``any`` one of them is enough."""
    lacking = tuple(one for one in wanted.policies if not _satisfies(one, proofs))
    is_enough = knobs.required_policies == "any" and len(lacking) < len(wanted.policies)
    return () if is_enough else lacking


def _missing_ids(wanted: Requirements, proofs: Proofs) -> list[str]:
    shown = {one.pk for one in proofs}
    return [one for one in wanted.identities if one not in shown]


def _name(identity_id: str) -> str:
    identity = Identity.objects.filter(pk=identity_id).first()
    return identity.username if identity else identity_id


def _is_of(identity: Identity, domains: tuple[str, ...]) -> bool:
    return identity.username.rpartition("@")[2].lower() in domains


def _has_mfa(proof: dict[str, Any]) -> bool:
    return MFA in (proof.get("amr") or [])


def _is_too_old(wanted: Requirements, proofs: Proofs) -> bool:
    if wanted.max_age is None:
        return False
    newest = max(proof["auth_time"] for proof in proofs.values())
    return bool(clock.now() - newest > wanted.max_age)


def _satisfies(policy: Policy, proofs: Proofs) -> bool:
    return any(
        (not policy.domains or _is_of(one, tuple(policy.domains)))
        and (not policy.required_mfa or _has_mfa(proof))
        and _is_within(policy.timeout_seconds, proof)
        for one, proof in proofs.items()
    )


def _is_within(seconds: int | None, proof: dict[str, Any]) -> bool:
    return seconds is None or clock.now() - proof["auth_time"] <= seconds


def wants_mfa(wanted: Requirements) -> bool:
    return wanted.mfa or any(policy.required_mfa for policy in wanted.policies)


def useful(
    wanted: Requirements, session: BrowserSession | None, began: float
) -> list[Identity]:
    """The identities that would bring the sign-in further, of all people."""
    proofs = _proofs(session, began if wanted.wants_fresh else None)
    people = list(
        Identity.objects.filter(is_client=False).order_by("-is_primary", "name")
    )
    if lacking := _missing_ids(wanted, proofs):
        return [one for one in people if one.pk in lacking]
    if domains := _missing_domains(wanted, proofs):
        return [one for one in people if _is_of(one, domains)]
    if policies := _missing_policies(wanted, proofs):
        return [one for one in people if _helps(one, policies)]
    return people


def _helps(identity: Identity, policies: tuple[Policy, ...]) -> bool:
    """Whether a sign-in as this identity could satisfy the next policy, or, when any
    of them is enough, one of them."""
    tried = policies
    if knobs.required_policies == "all":
        tried = tuple(one for one in policies if one.domains)[:1]
    return not tried or any(
        not policy.domains or _is_of(identity, tuple(policy.domains))
        for policy in tried
    )


def of_person(wanted: Requirements, person: Identity) -> list[Identity]:
    """With which of their identities a person signs in to satisfy the most."""
    linked = list(
        Identity.objects.filter(person=person.person, is_client=False).order_by(
            "-is_primary", "username"
        )
    )
    every = [tuple(policy.domains) for policy in wanted.policies]
    if knobs.required_domains == "all":
        every += [(domain,) for domain in wanted.domains]
    domains = [wanted.domains, *every]
    chosen = [one for one in linked if one.pk in wanted.identities]
    for some in filter(None, domains):
        if not any(_is_of(one, some) for one in [*chosen, person]):
            chosen += [one for one in linked if _is_of(one, some)][:1]
    return list(dict.fromkeys([*chosen, person]))
