"""Takes out of every log line what would open something (security.md G01).

Records are cleaned when they are made, so that it does not matter which logger makes
them and which handler writes them: gunicorn and Celery bring handlers of their own,
and a filter on the root logger sees nothing of what child loggers hand on.
"""

from __future__ import annotations

import logging
import logging.config
import re
from typing import Any

MARK = "[removed]"

#: names whose values open something, in whatever way they are written next to them
_NAMES = (
    r"code|state|iss|nonce|code_verifier|code_challenge|client_secret|access_token|"
    r"refresh_token|id_token|token|secret|password|passwd|assertion|"
    r"(?:__host-)?sessionid|(?:__host-)?csrftoken|csrfmiddlewaretoken"
)
_NAMED = re.compile(
    rf"(?i)(?<![\w-])({_NAMES})(?!\W{{0,6}}removed\])"
    r"(=|%3[Dd]|\\?[\"']?\]?\s*[:=]\s*b?\\?[\"'\[]+|\\?[\"']\s*,\s*b?\\?[\"'])"
    r"([^&\s\"';,\\\])}]+)"
)
_HEADER = re.compile(
    r"(?i)\b(proxy-authorization|authorization|set-cookie|cookie)"
    r"(\\?[\"']?\s*[:=,]\s*)[^\r\n]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_TOKEN_SHAPED = re.compile(r"\b(?:Ag[A-Za-z0-9_-]{30,}|eyJ[A-Za-z0-9_-]{10,}[.\w-]*)")
_URL_PASSWORD = re.compile(r"(\w+://[^:/\s@]*:)[^@/\s]+@")
#: C0 and C1, the separators that end a line for some readers, and what turns text round
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def clean(text: str) -> str:
    """``text`` without secrets; control characters are shown, not carried out."""
    text = _NAMED.sub(rf"\1\2{MARK}", text)
    text = _HEADER.sub(rf"\1\2{MARK}", text)
    text = _BEARER.sub(rf"\1 {MARK}", text)
    text = _TOKEN_SHAPED.sub(MARK, text)
    text = _URL_PASSWORD.sub(rf"\1{MARK}@", text)
    return _CONTROL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def one_line(text: str) -> str:
    return clean(text).replace("\n", "\\n")


class CleanRecord(logging.LogRecord):
    """A record without secrets, and without the objects that could hold some.

    Of an exception its text remains, as ``exc_text``: a traceback names lines of code,
    the exception itself holds every variable of theirs.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        clean_record(self)


_formatter = logging.Formatter()


def clean_record(record: logging.LogRecord) -> None:
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Its arguments do not fit. Without us a handler would print them.
        message = f"{record.msg} (with arguments that do not fit)"
    record.msg, record.args = one_line(message), ()
    if record.exc_info and not record.exc_text:
        record.exc_text = _formatter.formatException(record.exc_info)
    if record.exc_text:
        record.exc_text = clean(record.exc_text)
    record.exc_info = None
    if record.stack_info:
        record.stack_info = clean(record.stack_info)
    for name in record.__dict__.keys() - STANDARD:
        _clean_extra(record, name)


#: what every record has; the rest was handed over as ``extra``
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def _clean_extra(record: logging.LogRecord, name: str) -> None:
    """Django hands requests over, whose text has the query; of those the id stays."""
    value = record.__dict__[name]
    if isinstance(value, str):
        record.__dict__[name] = one_line(value)
    elif not isinstance(value, int | float | None):
        record.request_id = getattr(value, "request_id", "")
        record.__dict__[name] = f"<{type(value).__name__}>"


class NoSecrets(logging.Filter):
    """For handlers and for loggers that are given ``extra`` objects.

    Those are added to a record after it was made, and so are cleaned only here.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        clean_record(record)
        return True


def configure(config: dict[str, Any]) -> None:
    """``settings.LOGGING_CONFIG``: cleaned records first, then the handlers."""
    logging.setLogRecordFactory(CleanRecord)
    logging.config.dictConfig(config)
