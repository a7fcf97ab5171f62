"""The audit in the admin: read, searched and exported, and nothing else."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Iterator
from datetime import UTC
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import SEARCH_VAR, ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils.http import content_disposition_header

from accounts import audit
from accounts.models import AuditEvent
from portal.downloads import csv_response

#: Beyond this a list only says that there is more: counting a million rows for every
#: page would cost more than the page.
MOST_COUNTED = 10_000
EXPORT_CHUNK = 2000

COLUMNS = (
    "id",
    "at",
    "kind",
    "outcome",
    "actor_id",
    "actor_name",
    "owner_key",
    "owner_name",
    "credential_id",
    "address",
    "request_id",
    "detail",
)
#: the first word of a kind, and what it is about
AREAS = (
    ("person", "People and sign-ins"),
    ("service-account", "Service accounts and secrets"),
    ("token", "Tokens"),
    ("run", "Runs of jobs"),
    ("vault", "The vault"),
    ("admin", "The administration"),
    ("audit", "The audit itself"),
)


class CountedToALimit(Paginator[Any]):
    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by().values("pk")[:MOST_COUNTED].count()


class AreaFilter(admin.SimpleListFilter):
    title = "what it is about"
    parameter_name = "area"

    def lookups(
        self, request: HttpRequest, model_admin: Any
    ) -> Iterable[tuple[str, str]]:
        return AREAS

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent]
    ) -> QuerySet[AuditEvent]:
        if self.value() in dict(AREAS):
            return queryset.filter(kind__startswith=f"{self.value()}:")
        return queryset


@admin.register(AuditEvent)
class AuditEventAdmin(admin.ModelAdmin[AuditEvent]):
    list_display = (
        "moment",
        "kind",
        "outcome",
        "who",
        "about",
        "facts",
        "address",
    )
    list_filter = ("outcome", AreaFilter)
    date_hierarchy = "at"
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("kind",)
    search_help_text = (
        "A name, or exactly: a kind, an id, an address, a request. "
        "A name is looked for in all entries, which takes a moment."
    )
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    paginator = CountedToALimit
    actions = None
    fields = COLUMNS
    change_list_template = "admin/accounts/auditevent/change_list.html"

    @admin.display(description="when, UTC")
    def moment(self, event: AuditEvent) -> str:
        return f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="who", empty_value="–")
    def who(self, event: AuditEvent) -> str | None:
        return event.actor_name or None

    @admin.display(description="about", empty_value="–")
    def about(self, event: AuditEvent) -> str | None:
        return event.owner_name or None

    @admin.display(description="details")
    def facts(self, event: AuditEvent) -> str:
        return short(event.detail)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        term = search_term.strip()
        return (queryset.filter(matching(term)) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "export/<str:form>/",
            self.admin_site.admin_view(self.export),
            name="accounts_auditevent_export",
        )
        return [export, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        context = {
            "most_counted": MOST_COUNTED,
            "export_forms": EXPORT_WORDS,
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """:raises IncorrectLookupParameters: also for a NUL, which is no text"""
        filters = {**request.GET.dict(), SEARCH_VAR: ""}  # the search says so itself
        if "\0" in "".join([*filters, *filters.values()]):
            raise IncorrectLookupParameters("NUL")
        return super().get_changelist_instance(request)

    def export(self, request: HttpRequest, form: str) -> HttpResponseBase:
        """What the list shows, all pages of it, oldest first. Is itself an entry."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if form not in EXPORTS or request.method != "POST":
            raise Http404
        try:
            listed: ChangeList = self.get_changelist_instance(request)
        except IncorrectLookupParameters as err:
            # The list shows itself without filters then; a file would be too much.
            raise BadRequest("filter") from err
        latest = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
        # Nothing that is written while the file is on its way, such as this export.
        rows = listed.get_queryset(request).filter(pk__lte=latest or 0).order_by("pk")
        audit.record(
            "audit:entries:export",
            request=request,
            form=form,
            filters={name: storable(request.GET[name]) for name in sorted(request.GET)},
        )
        response: HttpResponseBase = EXPORTS[form](
            rows.iterator(chunk_size=EXPORT_CHUNK)
        )
        return response


def storable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:200]


def matching(term: str) -> Q:
    """Exact where the term can be exact: an index answers then."""
    try:
        found = UUID(term)
    except ValueError:
        pass
    else:
        keys = [f"user:{found}", f"service-account:{found}"]
        return Q(actor_id=found) | Q(owner_key__in=keys) | Q(credential_id=found)
    try:
        return Q(address=str(ipaddress.ip_address(term)))
    except ValueError:
        pass
    if ":" in term:
        return Q(kind__startswith=term) | Q(owner_key=term)
    names = Q(actor_name__icontains=term) | Q(owner_name__icontains=term)
    return names | Q(request_id=term)


def short(detail: dict[str, Any]) -> str:
    """Details as “name: value”, for a cell of a table."""
    text = "; ".join(f"{name}: {_value(detail[name])}" for name in sorted(detail))
    return text[:300]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_csv(events: Iterable[AuditEvent]) -> StreamingHttpResponse:
    rows = ([_cell(event, name) for name in COLUMNS] for event in events)
    return csv_response("audit.csv", COLUMNS, rows)


def as_json_lines(events: Iterable[AuditEvent]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(
        json_lines(events), content_type="application/jsonl; charset=utf-8"
    )
    disposition = content_disposition_header(as_attachment=True, filename="audit.jsonl")
    assert disposition is not None
    response["Content-Disposition"] = disposition
    return response


def json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    for event in events:
        row = {name: _cell(event, name) for name in COLUMNS} | {
            "id": event.pk,
            "detail": event.detail,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _cell(event: AuditEvent, name: str) -> str:
    value = getattr(event, name)
    if value is None:
        return ""
    if name == "at":
        return str(value.isoformat())
    if name == "detail":
        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return str(value)


EXPORTS: dict[str, Any] = {"csv": as_csv, "jsonl": as_json_lines}


EXPORT_WORDS = (("csv", "CSV"), ("jsonl", "JSON Lines"))
