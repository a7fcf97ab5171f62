"""A figure that goes up and down."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gauge:
    name: str
    meaning: str
    value: float
