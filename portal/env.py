"""Reads settings from the environment, and says by name what is missing."""

import os
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"", "0", "false", "no", "off"})


class BadSetting(ImproperlyConfigured):
    """A setting is missing or unusable; the text names the variable."""


def env_str(name: str, default: str | None = None) -> str:
    """The variable's value; without a default it must be set and not empty."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise BadSetting(f"{name} is not set. docs/configuration.md says what it is.")
    return default


def env_secret(name: str, default: str | None = None) -> str:
    """As ``env_str``; ``<name>_FILE`` may name a file that holds the value."""
    path = os.environ.get(f"{name}_FILE", "").strip()
    if not path:
        return env_str(name, default)
    if os.environ.get(name, "").strip():
        raise BadSetting(f"Both {name} and {name}_FILE are set; set one of them.")
    try:
        value = Path(path).read_text().strip()
    except OSError as err:
        raise BadSetting(
            f"{name}_FILE names a file that cannot be read: {err.strerror}."
        ) from err
    if not value:
        raise BadSetting(f"{name}_FILE names a file that is empty.")
    return value


def env_bool(name: str, *, default: bool = False) -> bool:
    word = os.environ.get(name, "").strip().lower()
    if not word:
        return default
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise BadSetting(f"{name} must be true or false, not “{word}”.")


def env_int(name: str, default: int) -> int:
    text = env_str(name, str(default))
    try:
        return int(text)
    except ValueError as err:
        raise BadSetting(f"{name} must be a whole number, not “{text}”.") from err


def env_list(name: str) -> list[str]:
    """Parts between commas; none when it is not set."""
    return [part.strip() for part in env_str(name, "").split(",") if part.strip()]


def is_loopback(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}


def public_base_url() -> SplitResult:
    """Where browsers find the portal. Plain http is for this machine only."""
    url = urlsplit(env_str("PUBLIC_BASE_URL"))
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise BadSetting("PUBLIC_BASE_URL must look like https://portal.example.org.")
    if url.path not in {"", "/"} or url.query or url.fragment:
        raise BadSetting("PUBLIC_BASE_URL must not have a path, a query or a fragment.")
    if url.scheme == "http" and not is_loopback(url.hostname):
        raise BadSetting(
            "PUBLIC_BASE_URL must start with https:// unless it names this machine."
        )
    return url


def database_from_url(text: str) -> dict[str, object]:
    """``DATABASE_URL`` as Django's settings; the socket folder may be ``?host=``."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as err:
        raise BadSetting(f"DATABASE_URL cannot be read: {err}.") from err
    if url.scheme not in {"postgres", "postgresql"}:
        raise BadSetting("DATABASE_URL must start with postgresql://.")
    options = dict(parse_qsl(url.query))
    host = options.pop("host", url.hostname or "")
    name = unquote(url.path.removeprefix("/"))
    if not name:
        raise BadSetting("DATABASE_URL names no database (postgresql://…/NAME).")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": host,
        "PORT": str(port or ""),
        "OPTIONS": options,
    }


def email_from_url(text: str) -> dict[str, object]:
    """``EMAIL_URL`` (``smtp://``, ``smtp+tls://``, ``smtps://``, ``file:///dir``,
    ``console:``) as Django's ``EMAIL_*`` settings.
    """
    url = urlsplit(text)
    if url.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if url.scheme == "file":
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(url.path),
        }
    if url.scheme not in {"smtp", "smtp+tls", "smtps"} or not url.hostname:
        raise BadSetting("EMAIL_URL must look like smtp+tls://user:password@host:587.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": url.hostname,
        "EMAIL_PORT": url.port or (465 if url.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(url.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(url.password or ""),
        "EMAIL_USE_TLS": url.scheme == "smtp+tls",
        "EMAIL_USE_SSL": url.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }


def env_word(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of a few words, in whatever case it was written."""
    word = env_str(name, default).upper()
    if word not in allowed:
        raise BadSetting(f"{name} must be one of {', '.join(allowed)}.")
    return word


def env_uuid(name: str) -> UUID | None:
    text = env_str(name, "")
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as err:
        raise BadSetting(f"{name} must be the id of a Globus group.") from err


def broker_from_url(text: str) -> str:
    """``REDIS_URL`` in Celery's spelling, which has one of its own for sockets."""
    url = urlsplit(text)
    if url.scheme == "unix":
        return f"redis+socket{text.removeprefix('unix')}"
    if url.scheme not in {"redis", "rediss"}:
        raise BadSetting("REDIS_URL must start with redis://, rediss:// or unix://.")
    return text
