"""What a test may turn. Each default is what the sandbox does untouched.

Where nobody outside Globus knows how the service behaves, the behaviour is a knob
here instead of a silent guess. A restart and a reset bring the defaults back.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Knobs:
    """See ``docs/sandbox.md`` for the same list in prose."""

    # --- tokens
    access_token_seconds: int = 172_800
    id_token_seconds: int = 172_800
    #: a refresh token dies after this long without use: six months
    refresh_token_seconds: int = 15_552_000
    #: not known of production: a lifetime of ten minutes
    authorization_code_seconds: int = 600
    #: not known of production: a used refresh token is replaced
    rotate_refresh_tokens: bool = False
    #: not known of production: revoking one token of a sign-in revokes them all
    revoke_cascades: bool = False
    #: recorded answers say 401, RFC 6749 says 400
    invalid_grant_status: int = 401
    #: not known of production: id and secret in the form instead of Basic
    accept_client_secret_post: bool = True
    #: not known of production: dependent tokens live as long as others; a recorded
    #: answer says 120
    dependent_token_seconds: int = 172_800
    #: not known of production: who takes a consent back ends the tokens that came
    #: from it
    withdrawal_revokes_tokens: bool = False
    #: not known of production: a client that registers itself is Created
    register_status: int = 201
    #: id tokens carry real time, or the virtual clock's
    id_token_clock: str = "real"  # noqa: S105 - no password

    # --- sign-in page
    #: "" shows the page; "login_hint" approves as the hinted person without asking;
    #: a username approves as that person
    auto_approve: str = ""
    #: not known of production: a required identity that is in the session already
    #: need not sign in anew, unless the request says prompt=login
    session_requirements_force_login: bool = False
    #: a signed-in browser whose consents are on record gets its code without a page
    skip_known_consents: bool = False
    #: who a token is for after a sign-in with a linked identity: "primary" is the
    #: person's own, "used" the one that signed in
    effective_identity: str = "primary"
    #: the next id tokens are wrong in this way: iss, aud, nonce, at_hash, expired,
    #: future_iat, signature, missing
    forge_id_token: str = ""

    # --- Transfer
    #: running tasks per identity and type; the rest waits as Queued
    running_tasks: int = 3
    #: tasks that are not finished, per identity
    pending_tasks: int = 100
    #: ls of a larger directory is an error
    directory_entries: int = 100_000
    #: not known of production: items in one document
    items_per_task: int = 1_000_000
    deadline_seconds: int = 86_400
    #: where the deadline of a transfer moves to when a file arrived: 72 hours on
    extended_deadline_seconds: int = 259_200
    #: how long a paused task is kept: 90 days
    paused_deadline_seconds: int = 7_776_000
    #: seconds of virtual time between two tries at a file that failed
    retry_seconds: float = 10.0
    #: not known of production
    submit_status: int = 202
    mkdir_status: int = 202
    #: running tasks stay ACTIVE and do nothing
    hold_tasks: bool = False
    #: 0 copies as fast as the disk; per task
    copy_bytes_per_second: int = 0
    #: the next this many files are corrupted on their way; verify_checksum finds out
    corrupt_files: int = 0
    #: a transfer that would write more than this meets QUOTA_EXCEEDED; 0 is no limit
    quota_bytes: int = 0
    #: requests per identity and ten seconds, divided by ten; 0 is no limit
    requests_per_second: int = 0


#: what the knobs take that are words; any other text knob takes any text
WORDS = {
    "effective_identity": ("primary", "used"),
    "id_token_clock": ("real", "virtual"),
}

current = Knobs()


def change(values: dict[str, Any]) -> None:
    """Turn some knobs.

    :raises ValueError: there is no such knob, or it does not take such a value
    """
    known = {field.name: field for field in fields(Knobs)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"There is no knob {name!r}.")
        wanted = type(getattr(Knobs(), name))
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"{name} takes {wanted.__name__}, not {value!r}.")
        if value not in WORDS.get(name, (value,)):
            raise ValueError(f"{name} is one of {', '.join(WORDS[name])}.")
    for name, value in values.items():
        setattr(current, name, value)


def reset() -> None:
    change(asdict(Knobs()))


def as_dict() -> dict[str, Any]:
    return asdict(current)
