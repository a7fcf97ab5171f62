"""Trees of files at the sandbox, and jobs that look at them."""

from __future__ import annotations

import pytest

from sandbox import seed


@pytest.fixture
def tree(stack, sandbox):
    """``tree("a/b.txt", "text")`` writes a file of the harvest's, below ``/tree``."""
    top = stack.folder / "sandbox" / "collections" / seed.HARVEST / "tree"
    top.mkdir()

    def write(path, text="some text"):
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    return write


@pytest.fixture
def job(service_account):
    from tests.factories import make_job

    return make_job(service_account, source_path="/tree/", recursive=True)
