"""The page that shows the knobs, and its forms, which turn them."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from sandbox import clock, knobs, seed
from sandbox.answers import json_answer
from sandbox.control import forms, views
from sandbox.models import Client, Collection, Group, Identity, PauseRule, Policy
from sandbox.pages import page
from sandbox.runtime import runtime
from sandbox.transfer import pauses
from sandbox.wire import wire

#: what the page shows of the log
LAST_REQUESTS = 50


def _turn_collection(asked: dict[str, Any]) -> Any:
    return views.set_collection(asked, asked.pop("collection"))


def _turn_policy(asked: dict[str, Any]) -> Any:
    return views.set_policy(asked, asked.pop("policy"))


FORMS: dict[str, tuple[forms.Turn, forms.Read]] = {
    "clock": (views.set_clock, forms.clock),
    "collection": (_turn_collection, forms.collection),
    "consents": (views.delete_consents, forms.filled),
    "expire": (views.expire_tokens, forms.filled),
    "fault": (views.add_fault, forms.fault),
    "forget-requests": (views.clear_requests, forms.nothing),
    "generate": (views.make_directory, forms.generated),
    "knobs": (views.set_knobs, forms.typed_knobs),
    "latency": (views.set_latency, forms.latency),
    "no-faults": (views.clear_faults, forms.nothing),
    "pause": (views.add_pause_rule, forms.pause),
    "policy": (_turn_policy, forms.policy),
    "redirect-uri": (views.add_redirect_uri, forms.filled),
    "reset": (views.reset_all, forms.nothing),
    "resume": (views.clear_pause_rules, forms.filled),
    "rotate-key": (views.new_key, forms.nothing),
    "wipe": (views.delete_tokens, forms.filled),
}


def form(request: HttpRequest, name: str) -> HttpResponse:
    """Turn a knob with a form of the page; a form that is refused shows why."""
    if request.method != "POST" or forms.is_forged(request):
        return json_answer({"error": "Send the form of the page"}, 403)
    turn, read = FORMS[name]
    try:
        turn(read(request))
    except (ValueError, TypeError, LookupError) as err:
        return _page(request, refused=forms.sentence(err), status=400)
    return HttpResponseRedirect("/")


def index(request: HttpRequest) -> HttpResponse:
    """What is in the sandbox, for whoever opens it in a browser."""
    return _page(request)


def _page(
    request: HttpRequest, *, refused: str = "", status: int = 200
) -> HttpResponse:
    """:param refused: why a form was not taken, in a sentence"""
    return page(
        request,
        "index.html",
        {
            "refused": refused,
            "url": runtime.url,
            "people": Identity.objects.filter(is_client=False).order_by("username"),
            "clients": Client.objects.order_by("name"),
            "secrets": seed.SECRETS if runtime.is_seeded else {},
            "collections": Collection.objects.select_related("owner").order_by(
                "display_name"
            ),
            "groups": Group.objects.order_by("name"),
            "policies": Policy.objects.order_by("display_name"),
            "pause_rules": PauseRule.objects.select_related("collection"),
            "operations": pauses.OPERATIONS,
            "knobs": [_knob(name, value) for name, value in knobs.as_dict().items()],
            "clock": clock.iso(clock.now()),
            "speed": clock.speed(),
            "faults": [_fault(one) for one in wire.faults()],
            "latencies": wire.latencies().items(),
            "requests": wire.requests()[-LAST_REQUESTS:][::-1],
            "token": forms.TOKEN,
        },
        status=status,
    )


def _knob(name: str, value: Any) -> dict[str, Any]:
    is_default = value == getattr(knobs.Knobs(), name)
    return {
        "name": name,
        "value": value,
        "is_flag": isinstance(value, bool),
        "words": knobs.WORDS.get(name, knobs.STATUSES.get(name, ())),
        "is_turned": not is_default,
    }


def _fault(fault: dict[str, Any]) -> dict[str, Any]:
    """A fault in words: only what it does."""
    unset = (None, "", 0, 0.0)
    does = {
        name: value
        for name, value in fault.items()
        if name not in ("route", "method", "times") and value not in unset
    }
    return {
        "route": fault["route"],
        "method": fault["method"],
        "does": ", ".join(f"{name} {value}" for name, value in does.items()),
        "left": fault["times"],
    }
