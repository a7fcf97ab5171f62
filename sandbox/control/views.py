"""The knobs over HTTP, JSON in and out; ``page.py`` has the forms for people.

Whoever writes here must send JSON: a form of a foreign web page cannot, and its
script would have to ask first and get no answer.
"""

import os
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.http import HttpRequest, HttpResponse

from sandbox import background, clock, knobs, planting, seed, trees
from sandbox.answers import json_answer, json_body
from sandbox.auth import consents, keys
from sandbox.control import checks
from sandbox.control.checks import Document, Refused
from sandbox.models import (
    AuthorizationCode,
    Client,
    Collection,
    Consent,
    PauseRule,
    Policy,
    Token,
)
from sandbox.runtime import runtime
from sandbox.transfer import files, lazy, limits, paths, pauses
from sandbox.transfer.errors import TransferFailure
from sandbox.wire import wire

Change = Callable[..., Any]


def knob(**methods: Change) -> Callable[..., HttpResponse]:
    """A view out of functions, one per method, that take and return documents."""

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        change = methods.get(request.method or "")
        if change is None:
            return json_answer({"error": "This method is not served"}, 405)
        try:
            if request.method == "GET":
                return json_answer(change(request.GET, **parts))
            return json_answer(change(_posted(request), **parts))
        except (ValueError, TypeError, LookupError) as err:
            return json_answer({"error": str(err)}, 400)

    return view


def _posted(request: HttpRequest) -> Document:
    if request.method == "DELETE" and not request.body:
        return {}  # no page of another site can send one without being asked first
    if request.content_type != "application/json":
        raise Refused("Send JSON, with its Content-Type")
    return json_body(request) if request.body else {}


def _get_health(asked: Document) -> Document:
    return {"ok": True, "is_globus": False, "url": runtime.url, "pid": os.getpid()}


def get_knobs(asked: Document) -> Document:
    return knobs.as_dict()


def set_knobs(asked: Document) -> Document:
    knobs.change(asked)
    background.wake()
    return knobs.as_dict()


def _get_clock(asked: Document) -> Document:
    now = clock.now()
    return {"now": now, "iso": clock.iso(now), "speed": clock.speed()}


def set_clock(asked: Document) -> Document:
    """``advance`` by seconds, ``set`` to a moment, or change the ``speed``."""
    checks.known(asked, {"advance", "set", "speed"}, "The clock")
    moment = None
    if "set" in asked:
        value = asked["set"]
        moment = clock.from_text(value) if isinstance(value, str) else value
    if "advance" in asked:
        most = checks.MOST_MOMENT
        by = checks.number("advance", asked["advance"], -most, most)
        moment = (clock.now() if moment is None else moment) + by
    if "set" in asked or "advance" in asked:
        moment = checks.number("The moment", moment, 0, checks.MOST_MOMENT)
    speed = None
    if "speed" in asked:
        speed = checks.number("speed", asked["speed"], 0, checks.MOST_SPEED)
    clock.change(virtual=moment, speed=speed)
    background.wake()
    return _get_clock({})


def _get_faults(asked: Document) -> Document:
    return {"faults": wire.faults(), "latencies": wire.latencies()}


def add_fault(asked: Document) -> Document:
    fault = checks.fault(asked)
    wire.add_fault(fault)
    return asdict(fault)


def clear_faults(asked: Document) -> Document:
    wire.clear_faults()
    return _get_faults({})


def set_latency(asked: Document) -> Document:
    seconds = checks.number("seconds", asked.get("seconds"), 0, checks.MOST_WAIT)
    wire.set_latency(checks.text("route", asked.get("route")), seconds)
    return {"latencies": wire.latencies()}


def _get_requests(asked: Any) -> Document:
    logged = wire.requests(asked.get("path", ""))
    return {"requests": logged, "under_way": wire.how_many()}


def clear_requests(asked: Document) -> Document:
    wire.clear_log()
    return {"requests": []}


def reset_all(asked: Document) -> Document:
    """Seeded state again: knobs, clock, faults, log, rows and files."""
    with wire.next_world():
        background.stop()
        try:
            knobs.reset()
            limits.reset()
            clock.reset()
            lazy.reset()
            planting.replant()
            files.forget_uses()
            planting.register_redirect_uris(runtime.redirect_uris)
        finally:
            background.start()
    return {"reset": True}


def delete_tokens(asked: Document) -> Document:
    """``kind`` and ``resource_server`` narrow it down."""
    checks.known(asked, {"kind", "resource_server"}, "A token")
    found = Token.objects.all()
    for name in ("kind", "resource_server"):
        if name in asked:
            found = found.filter(**{name: asked[name]})
    count = found.count()
    found.delete()
    if not asked:
        AuthorizationCode.objects.all().delete()
    return {"deleted": count}


def expire_tokens(asked: Document) -> Document:
    """Let all tokens of the kind ``expire`` run out now."""
    kind = asked.get("expire")
    if kind not in (Token.Kind.ACCESS, Token.Kind.REFRESH):
        raise Refused("expire is access or refresh")
    found = Token.objects.filter(kind=kind)
    return {"expired": found.update(expires_at=clock.now())}


def delete_consents(asked: Document) -> Document:
    """``username``, ``client_id`` and ``scope_name`` narrow it down."""
    checks.known(asked, {"username", "client_id", "scope_name"}, "A consent")
    found = Consent.objects.all()
    if "username" in asked:
        found = found.filter(identity__username=asked["username"])
    if "client_id" in asked:
        found = found.filter(client=asked["client_id"])
    if "scope_name" in asked:
        found = found.filter(scope_name=asked["scope_name"])
    count = consents.withdraw(found)
    background.wake()
    return {"deleted": count}


def add_redirect_uri(asked: Document) -> Document:
    """For ``client_id``, or the seeded portal client."""
    client_id = asked.get("client_id", seed.PORTAL_CLIENT_ID)
    uri = checks.text("redirect_uri", asked.get("redirect_uri"))
    client = Client.objects.filter(pk=client_id)
    if not client.exists():
        raise Refused(f"No client {client_id}")
    planting.register_redirect_uris([uri], client_id=client_id)
    return {"redirect_uris": client.get().redirect_uris}


MOST_GENERATED = 2_000_000
MOST_IN_TREE = 100_000_000
MOST_BYTES = 2**30


def make_directory(asked: Document) -> Document:
    """Make ``count`` files of ``size`` bytes in ``path`` of ``collection``.

    With ``levels`` of so many ``directories`` it is a tree, in which each directory
    holds ``count`` files; its entries come into being when they are touched.
    """
    found = Collection.objects.filter(pk=asked["collection"]).first()
    if found is None:
        raise Refused(f"No collection {asked['collection']}")
    count, size = int(asked["count"]), int(asked.get("size", 0))
    if not 0 <= count <= MOST_GENERATED:
        raise Refused(f"count is at most {MOST_GENERATED}")
    checks.whole("size", size, most=MOST_BYTES)
    path = str(asked["path"]).strip("/")
    if ".." in path.split("/"):
        raise Refused("path must not hold ..")
    try:
        directory = paths.place_at(found, path).target
    except TransferFailure as failure:
        raise Refused(failure.message) from failure
    prefix = _part_of_a_name("prefix", asked.get("prefix", "file-"))
    suffix = _part_of_a_name("suffix", asked.get("suffix", ".dat"))
    try:
        trees.make(directory)
    except OSError as err:
        raise Refused(f"path: {err.strerror}") from err
    levels, directories = int(asked.get("levels", 0)), int(asked.get("directories", 0))
    if not levels:
        make_files(directory, count, size, prefix, suffix)
        return {"made": count}
    if any(os.scandir(directory)):
        raise Refused("A tree needs an empty directory")
    tree = lazy.Tree(count, size, directories, levels, prefix=prefix, suffix=suffix)
    if not 0 <= levels <= 8 or not 0 <= directories <= 10_000:
        raise Refused("A tree has at most 8 levels of 10,000 directories")
    if tree.count > MOST_IN_TREE:
        raise Refused(f"A tree holds at most {MOST_IN_TREE} files")
    lazy.plant(directory, tree)
    return {"made": tree.count}


def _part_of_a_name(name: str, value: object) -> str:
    part = checks.text(name, value)
    if "/" in part or "\0" in part or len(part.encode()) > 100:
        raise Refused(f"{name} is at most 100 bytes, without a slash")
    return part


def make_files(
    directory: str, count: int, size: int, prefix: str = "f-", suffix: str = ""
) -> None:
    """Many equal files, quickly: opened by a directory descriptor."""
    content = bytes(size)
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    try:
        for number in range(count):
            file = os.open(f"{prefix}{number:06d}{suffix}", flags, 0o644, dir_fd=folder)
            if content:
                os.write(file, content)
            os.close(file)
    finally:
        os.close(folder)


def set_collection(asked: Document, collection_id: str) -> Document:
    checks.collection(asked)
    found = Collection.objects.filter(pk=collection_id)
    if not found.exists():
        raise Refused(f"No collection {collection_id}")
    if asked:
        found.update(**asked)
    background.wake()
    return {"updated": collection_id}


def add_pause_rule(asked: Document) -> Document:
    """Pause everything, or the operations ``pauses``, on ``collection``."""
    wanted = checks.texts("pauses", asked.get("pauses", list(pauses.OPERATIONS)))
    if not set(wanted) <= set(pauses.OPERATIONS):
        raise Refused(f"pauses are among {pauses.OPERATIONS}")
    if not Collection.objects.filter(pk=asked.get("collection")).exists():
        raise Refused(f"No collection {asked.get('collection')}")
    rule = PauseRule.objects.create(
        id=str(uuid.uuid4()),
        collection_id=asked["collection"],
        message=checks.text("message", asked.get("message", "")),
        identity_id=checks.text("identity_id", asked.get("identity_id", "")),
        started_at=clock.now(),
        pauses=list(wanted),
    )
    background.wake()
    return {"id": rule.pk}


def clear_pause_rules(asked: Document) -> Document:
    """All, or the one with this ``id``."""
    checks.known(asked, {"id"}, "A pause rule")
    found = PauseRule.objects.all()
    if "id" in asked:
        found = found.filter(pk=asked["id"])
    count = found.count()
    found.delete()
    background.wake()
    return {"deleted": count}


def set_policy(asked: Document, policy_id: str) -> Document:
    """Make or change an authentication policy for ``session_required_policies``."""
    uuid.UUID(policy_id)  # a ValueError when it is none
    checks.policy(asked)
    wish = {"display_name": policy_id, **asked}
    Policy.objects.update_or_create(id=policy_id.lower(), defaults=wish)
    return {"policy": policy_id}


def new_key(asked: Document) -> Document:
    keys.rotate(runtime.data)
    return keys.jwks()


health = knob(GET=_get_health)
knobs_view = knob(GET=get_knobs, POST=set_knobs)
clock_view = knob(GET=_get_clock, POST=set_clock)
faults = knob(GET=_get_faults, POST=add_fault, DELETE=clear_faults)
latency = knob(POST=set_latency)
requests = knob(GET=_get_requests, DELETE=clear_requests)
reset = knob(POST=reset_all)
wipe_tokens = knob(POST=expire_tokens, DELETE=delete_tokens)
withdraw_consents = knob(DELETE=delete_consents)
redirect_uris = knob(POST=add_redirect_uri)
generate = knob(POST=make_directory)
collection = knob(POST=set_collection)
rotate_key = knob(POST=new_key)
policy = knob(POST=set_policy)
pause_rules = knob(POST=add_pause_rule, DELETE=clear_pause_rules)
