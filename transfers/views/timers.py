"""Transfers that Globus repeats: the list, one of them, and making one."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from accounts.clients import timers_client
from accounts.views import SignedInRequest
from transfers import timer_checks, timer_instead, timers
from transfers.models import AskedTimer, Transfer
from transfers.timer_forms import NameForm, TimerForm, schedule_words
from transfers.views import sending

#: What the tabs show, by Globus's words
TABS = {"": "All", "active": "Running", "inactive": "Paused", "ended": "Ended"}


@require_safe
def timer_list(request: SignedInRequest) -> HttpResponse:
    """Asks for the consent that seeing them takes only once somebody wants to."""
    if not timers.may_use(request.user) and "show" not in request.GET:
        return render(request, "transfers/timers/start.html")
    found = timers.mine(timers_client(request.user))
    timer_checks.watch(request.user)
    timer_checks.note(request.user, found)
    status = request.GET.get("status", "")
    text = request.GET.get("q", "").strip()
    shown = [
        timer
        for timer in found
        if (not status or _tab_of(timer) == status)
        and text.casefold() in timer.name.casefold()
    ]
    context = {
        "timers": [(timer, schedule_words(timer.schedule)) for timer in shown],
        "count": len(found),
        "tabs": TABS,
        "status": status if status in TABS else "",
        "text": text,
    }
    return render(request, "transfers/timers/list.html", context)


def _tab_of(timer: timers.Timer) -> str:
    if timer.has_ended:
        return "ended"
    return "inactive" if timer.is_paused else "active"


@require_safe
def timer(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    found = timers.one(timers_client(request.user), timer_id)
    return render(request, "transfers/timers/detail.html", _context(request, found))


def _context(request: SignedInRequest, found: timers.Timer) -> dict[str, Any]:
    task_ids = [run.task_id for run in found.results if run.task_id]
    known = dict(
        Transfer.objects.owned_by(request.user)
        .filter(task_id__in=task_ids)
        .values_list("task_id", "pk")
    )
    names = {
        side: sending.name_or_id(request.user, collection_id)
        for side, collection_id in (
            ("source", found.source_id),
            ("destination", found.destination_id),
        )
        if collection_id
    }
    return {
        "timer": found,
        "names": names,
        "words": schedule_words(found.schedule),
        "items": _items(found),
        "runs": [(run, known.get(run.task_id)) for run in found.results],
        "form": NameForm(initial={"name": found.name}),
    }


def _items(found: timers.Timer) -> list[tuple[str, str]]:
    """``(from, to)`` of what each run copies, as far as it makes sense."""
    rows = found.document.get("DATA")
    if not isinstance(rows, list):
        return []
    return [
        (str(row.get("source_path") or ""), str(row.get("destination_path") or ""))
        for row in rows[:100]
        if isinstance(row, dict)
    ]


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: SignedInRequest) -> HttpResponse:
    """The second half of the transfer form: when, and how often.

    What is to be transferred comes along in hidden fields, and is judged anew.
    """
    if request.method != "POST":
        return redirect("transfers:new")
    data = request.POST.copy()
    draft = sending.judged(request, data)
    transfer_form = draft.form
    if transfer_form.is_valid() and transfer_form.cleaned_data["deadline"]:
        says = "Every run would have to end by this one moment. Leave it empty."
        transfer_form.add_error("deadline", says)
    if not transfer_form.is_valid():
        return sending.shown(draft)
    form = (
        TimerForm(data)
        if data.get("do") == "make"
        else TimerForm(initial={"name": data.get("label", "")})
    )
    if form.is_bound and form.is_valid():
        asked = _asked(request, data)
        made = timers.create(
            request.user,
            asked,
            form.cleaned_data["name"],
            form.schedule,
            transfer_form.document,
        )
        timer_checks.watch(request.user)
        messages.success(request, "Globus repeats this transfer from now on.")
        return redirect("transfers:timer", made)
    context = {
        "form": form,
        "transfer": transfer_form,
        "places": draft.places,
        "fields": _kept(data),
        "form_id": data.get("timer_form") or uuid4(),
        "items": transfer_form.document["DATA"],
    }
    return render(request, "transfers/timers/new.html", context)


def _asked(request: SignedInRequest, data: QueryDict) -> AskedTimer:
    try:
        return AskedTimer.of(request.user, UUID(data.get("timer_form", "")))
    except (ValueError, AskedTimer.DoesNotExist) as err:
        raise Http404 from err


def _kept(data: QueryDict) -> list[tuple[str, str]]:
    """The fields of the transfer, to come along with those of the timer."""
    left_out = {"csrfmiddlewaretoken", "do", "timer_form", *TimerForm.base_fields}
    return [
        (name, str(value))
        for name, values in data.lists()
        if name not in left_out
        for value in values
    ]


@require_POST
def pause(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    timers.pause(timers_client(request.user), timer_id)
    messages.info(request, "It is paused. No run starts until you let it go on.")
    return redirect("transfers:timer", timer_id)


@require_POST
def resume(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    found = timers.one(timers_client(request.user), timer_id)
    timers.resume(request.user, found)
    timer_checks.forget(request.user, timer_id)
    messages.success(request, "It goes on.")
    return redirect("transfers:timer", timer_id)


@require_POST
def once_now(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    """What its last run did not bring about; the timer goes on as it did."""
    found = timers.one(timers_client(request.user), timer_id)
    sent = timer_instead.send(request.user, found)
    timer_checks.forget(request.user, timer_id)
    messages.success(request, "It is stored and goes to Globus now. You can leave.")
    return redirect("transfers:detail", sent.pk)


@require_POST
def rename(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    form = NameForm(request.POST)
    client = timers_client(request.user)
    if form.is_valid():
        timers.rename(client, timer_id, form.cleaned_data["name"])
        messages.success(request, "It has its new name.")
        return redirect("transfers:timer", timer_id)
    context = _context(request, timers.one(client, timer_id)) | {"form": form}
    return render(request, "transfers/timers/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: SignedInRequest, timer_id: UUID) -> HttpResponse:
    client = timers_client(request.user)
    if request.method == "POST":
        timers.delete(client, timer_id)
        timer_checks.forget(request.user, timer_id)
        messages.success(request, "The timer is deleted. What it sent goes on.")
        return redirect("transfers:timers")
    context = {"timer": timers.one(client, timer_id)}
    return render(request, "transfers/timers/delete.html", context)
