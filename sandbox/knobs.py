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
    #: recalled, not seen: the statuses of errors at the token endpoint
    oauth_error_status: int = 400
    invalid_client_status: int = 401
    dependent_consent_status: int = 403
    #: recalled: a token is introspected by its client and its resource server alone
    introspect_only_audience: bool = True
    #: id tokens carry real time, or the virtual clock's
    id_token_clock: str = "real"  # noqa: S105 - no password

    # --- sign-in page
    #: "" shows the page; "login_hint" approves as the hinted person without asking;
    #: a username approves as that person
    auto_approve: str = ""
    #: not known of production: a required identity that is in the session already
    #: need not sign in anew, unless the request says prompt=login
    session_requirements_force_login: bool = False
    #: not known of production: how many of several required domains, and of several
    #: required policies, a session must show
    required_domains: str = "any"
    required_policies: str = "all"
    #: not known of production: what a parameter gets that stands twice in an
    #: authorization request, an error or its last value
    repeated_parameter: str = "invalid_request"
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
    #: not known of production, from here on: the code of a 429
    rate_limit_code: str = "RateLimited"
    #: the order of ls without orderby: by name, or as the directory has it
    ls_order: str = "name"
    #: a comma in a filter on names separates alternatives
    filter_commas: bool = False
    #: filters on sizes may compare; otherwise only equal sizes are asked for
    size_comparisons: bool = True
    #: longest path in bytes, and largest document; 0 is no limit of its own
    longest_path: int = 4_096
    document_bytes: int = 0
    #: recalled: task_list filters by is_paused, endpoint and username
    recalled_task_filters: bool = True
    task_not_found_code: str = "TaskNotFound"
    finished_task_update_status: int = 409
    canceled_finished_code: str = "TaskComplete"
    #: how long a cancel waits for the task to stop, before it says the other code
    cancel_wait_seconds: float = 1.0
    cancel_pending_code: str = "CancelAccepted"
    #: what a task shows whose consent or session ran out
    credentials_nice_status: str = "NO_CREDENTIALS"
    paused_status: int = 409
    paused_code: str = "OperationPaused"
    #: a stranger at a private collection: 403 PermissionDenied or 404 EndpointNotFound
    private_collection_status: int = 403
    access_created_status: int = 201
    exists_code: str = "Exists"
    admin_cancel_code: str = "Canceled"
    admin_pause_code: str = "PauseAccepted"
    admin_resume_code: str = "ResumeAccepted"
    #: the field of a symlink document that names where it leads
    symlink_target_field: str = "symlink_target"

    # --- Groups; not known of production
    #: a stranger at a private group: 404 or 403
    private_group_status: int = 404
    #: nobody takes the last admin of a group away
    keep_last_admin: bool = True

    # --- Timers
    #: a user's timers together run at most so often; 0 is no limit
    timer_runs_per_minute: int = 1
    #: how long a submission that failed is tried again, at most half an interval
    timer_retry_limit_seconds: int = 2_700
    #: not known of production: the first pause between two tries, which then doubles
    timer_retry_seconds: int = 60
    #: not known of production: ticks that a jump of the clock passed over are all run
    timer_catch_up: bool = True

    # --- collection HTTPS; not known of production
    https_ranges: bool = True
    https_head: bool = True
    https_etag: bool = True
    #: the body of an error: json or text
    https_error_body: str = "json"
    #: what a script without a token gets: 401, or 302 as a browser does
    https_script_status: int = 401
    #: recalled as refused: a Transfer token at a collection
    https_transfer_tokens: bool = False
    #: a mapped collection wants data_access beside https
    https_wants_data_access: bool = False
    #: a file that breaks off on its way is stored as far as it came
    https_keeps_incomplete: bool = False
    https_created_status: int = 201
    https_changed_status: int = 204
    #: how long a browser stays signed in at a collection: 11 days
    https_session_seconds: int = 950_400


#: what the knobs take that are words; any other text knob takes any text
WORDS = {
    "effective_identity": ("primary", "used"),
    "forge_id_token": (
        "",
        "iss",
        "aud",
        "nonce",
        "at_hash",
        "expired",
        "future_iat",
        "signature",
        "missing",
    ),
    "https_error_body": ("json", "text"),
    "id_token_clock": ("real", "virtual"),
    "ls_order": ("name", "directory"),
    "repeated_parameter": ("invalid_request", "last"),
    "required_domains": ("any", "all"),
    "required_policies": ("all", "any"),
}
#: of which statuses a knob is one; any other takes any status
STATUSES = {
    "https_script_status": (302, 401),
    "private_collection_status": (403, 404),
    "private_group_status": (403, 404),
}

#: three hundred years, so that every moment has a date; and of anything else
MOST_SECONDS = 10**10
MOST_OTHER = 10**15

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
        if wanted in (int, float):
            _check_number(name, value)
        if value not in WORDS.get(name, (value,)):
            raise ValueError(f"{name} is one of {', '.join(WORDS[name])}.")
        if wanted is int and name.endswith("_status"):
            _check_status(name, value)
    for name, value in values.items():
        setattr(current, name, value)


def _check_number(name: str, value: float) -> None:
    most = MOST_SECONDS if name.endswith("_seconds") else MOST_OTHER
    if not 0 <= value <= most:  # which a NaN is not
        raise ValueError(f"{name} is a number from 0 to {most}, not {value}.")


def _check_status(name: str, status: int) -> None:
    if not 200 <= status <= 599:
        raise ValueError(f"{name} is an HTTP status, not {status}.")
    if status not in STATUSES.get(name, (status,)):
        wanted = " or ".join(map(str, STATUSES[name]))
        raise ValueError(f"{name} is {wanted}.")


def reset() -> None:
    change(asdict(Knobs()))


def as_dict() -> dict[str, Any]:
    return asdict(current)
