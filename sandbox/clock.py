"""The virtual clock. Every expiry, deadline and time stamp goes by it.

It runs with the real clock until it is advanced, set or sped up, and is kept in the
database, so that a restart does not turn time back.
"""

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sandbox.models import Setting


@dataclass(frozen=True)
class Reading:
    """At ``real`` the clock showed ``virtual``; since then it goes at ``speed``."""

    real: float = 0.0
    virtual: float = 0.0
    speed: float = 1.0

    def at(self, moment: float) -> float:
        return self.virtual + (moment - self.real) * self.speed


_reading = Reading()


def now() -> float:
    """Seconds since 1970, UTC, as the sandbox sees it."""
    return _reading.at(time.time())


def speed() -> float:
    return _reading.speed


def load() -> None:
    """Take up the clock where the last run left its settings."""
    global _reading
    stored = Setting.objects.filter(name="clock").first()
    _reading = Reading(**stored.value) if stored else Reading()


def change(*, virtual: float | None = None, speed: float | None = None) -> None:
    """Let the clock show ``virtual`` now and go at ``speed`` from here on."""
    global _reading
    real = time.time()
    _reading = Reading(
        real=real,
        virtual=_reading.at(real) if virtual is None else virtual,
        speed=_reading.speed if speed is None else speed,
    )
    Setting.objects.update_or_create(name="clock", defaults={"value": asdict(_reading)})


def reset() -> None:
    global _reading
    _reading = Reading()
    Setting.objects.filter(name="clock").delete()


def iso(moment: float) -> str:
    """``2026-01-01T00:00:00+00:00``, the form of task times."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat()


def iso_or_none(moment: float | None) -> str | None:
    return None if moment is None else iso(moment)


def from_text(text: str) -> float:
    """Read ``2026-01-01 00:00:00`` or an ISO form; without offset it is UTC.

    :raises ValueError: it is not a moment, or in UTC not one of the years 1 to 9999
    """
    moment = datetime.fromisoformat(text.strip())
    found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    iso(found)  # what is stored has to be shown again
    return found
