"""What leaves the portal when something broke: a mail without anybody's data (G03).

No reporter of a vendor is bundled. One that is added has to be given ``scrubbed`` as
its hook before sending (Sentry calls that ``before_send``).
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import ItemsView, Mapping
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.mail import send_mail
from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from portal.logs import MARK, clean, one_line

LONGEST_SUBJECT = 120
#: The same error again is in the log, and is no news.
ONE_MAIL_PER_SECONDS = 900

#: what a report may say of a request or an exception; everything else goes
KEPT_OF_REQUEST = frozenset({"method", "url"})
KEPT_OF_FRAME = frozenset({"filename", "function", "lineno", "module"})
KEPT_OF_EVENT = frozenset(
    {
        "event_id",
        "exception",
        "level",
        "logentry",
        "logger",
        "message",
        "platform",
        "release",
        "request",
        "server_name",
        "timestamp",
        "transaction",
    }
)


class ErrorMail(logging.Handler):
    """Mails the line and the traceback, as they stand in the log, to operators.

    One mail per place in the code and quarter of an hour. What cannot be sent is in
    the log all the same.
    """

    def emit(self, record: logging.LogRecord) -> None:
        recipients = getattr(settings, "ERROR_MAIL_TO", [])
        # Mail about mail would go round in a circle.
        if not recipients or record.name.startswith("portal.error_reports"):
            return
        key = f"error-mail:{record.name}:{record.lineno}"
        if not cache.add(key, True, ONE_MAIL_PER_SECONDS):
            return
        subject = f"Causeway: {record.levelname}: {one_line(record.getMessage())}"
        try:
            send_mail(subject[:LONGEST_SUBJECT], report(record), None, recipients)
        except (smtplib.SMTPException, OSError):
            cache.delete(key)
            logging.getLogger(__name__).warning("No error mail could be sent")


def report(record: logging.LogRecord) -> str:
    """Message, place and traceback; the request by its id alone."""
    lines = [
        clean(record.getMessage()),
        f"at {record.pathname}:{record.lineno} in {record.funcName}",
        f"request {getattr(record, 'request_id', '') or 'none'}",
        "",
        clean(record.exc_text or "no traceback"),
    ]
    return "\n".join(lines)


class NoValues(SafeExceptionReporterFilter):
    """For Django's own reports, should anything ask for one: names, never values."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_safe_settings(self) -> dict[str, Any]:
        return {}

    def get_safe_request_meta(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, Any]:
        return {}

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return {}

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: Any
    ) -> ItemsView[str, Any]:
        return {}.items()


class Reporter(ExceptionReporter):
    """Without the request, whose query may hold a code, and with cleaned words."""

    def get_traceback_data(self) -> dict[str, Any]:
        self.request = None
        data = super().get_traceback_data()
        for name in ("exception_value", "exception_notes"):
            if data.get(name):
                data[name] = clean(str(data[name]))
        data["sys_path"] = []
        return data


def scrubbed(event: Mapping[str, Any], hint: object = None) -> dict[str, Any]:
    """An event for an error reporter, with nothing in it but places and cleaned words.

    :param hint: what such hooks are given beside the event; holds the exception itself
    """
    kept = {name: event[name] for name in KEPT_OF_EVENT if name in event}
    if isinstance(kept.get("request"), Mapping):
        kept["request"] = {
            name: str(value).partition("?")[0]
            for name, value in kept["request"].items()
            if name in KEPT_OF_REQUEST
        }
    if "exception" in kept:
        kept["exception"] = _scrubbed_exceptions(kept["exception"])
    cleaned: dict[str, Any] = _cleaned(kept)
    return cleaned


def _scrubbed_exceptions(group: Any) -> Any:
    values = group.get("values", []) if isinstance(group, Mapping) else []
    return {"values": [_scrubbed_exception(each) for each in values]}


def _scrubbed_exception(each: Mapping[str, Any]) -> dict[str, Any]:
    frames = (each.get("stacktrace") or {}).get("frames", [])
    return {
        "type": each.get("type"),
        "value": each.get("value"),
        "module": each.get("module"),
        "stacktrace": {
            "frames": [
                {name: frame[name] for name in KEPT_OF_FRAME if name in frame}
                for frame in frames
            ]
        },
    }


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {str(name): _cleaned(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(each) for each in value]
    return value if isinstance(value, int | float | None) else MARK
