"""The version stands in two places; they agree."""

import tomllib
from pathlib import Path

from portal import VERSION


def test_the_version_of_the_page_is_that_of_the_project():
    project = Path(__file__).parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION
