"""Takes out of every log line what would open something (security.md G01)."""

import logging
import re

MARK = "[removed]"

_NAMED = re.compile(
    r"(?i)\b(code|state|iss|nonce|code_verifier|client_secret|access_token|"
    r"refresh_token|id_token|password|sessionid|csrftoken)"
    r"(=|\":\s*\"|':\s*')([^&\s\"';,]+)"
)
_HEADER = re.compile(
    r"(?i)\b(authorization|cookie|set-cookie)(\"?'?\s*[:=]\s*)[^\r\n]+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_TOKEN_SHAPED = re.compile(r"\b(?:Ag[A-Za-z0-9_-]{30,}|eyJ[A-Za-z0-9_-]{10,}[.\w-]*)")
_URL_PASSWORD = re.compile(r"(\w+://[^:/\s@]*:)[^@/\s]+@")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")


def clean(text: str) -> str:
    """``text`` without secrets; control characters are shown, not carried out."""
    text = _NAMED.sub(rf"\1\2{MARK}", text)
    text = _HEADER.sub(rf"\1\2{MARK}", text)
    text = _BEARER.sub(rf"\1 {MARK}", text)
    text = _TOKEN_SHAPED.sub(MARK, text)
    text = _URL_PASSWORD.sub(rf"\1{MARK}@", text)
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class NoSecrets(logging.Filter):
    """Cleans message and traceback of a record before any handler formats them."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = clean(record.getMessage()).replace("\n", "\\n")
        record.args = ()
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = clean(record.exc_text)
            record.exc_info = None
        return True
