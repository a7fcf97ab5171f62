"""The project: wiring, and what is true of Globus for everyone."""

#: also in pyproject.toml
VERSION = "0.1.0"
