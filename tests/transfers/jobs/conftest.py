"""Trees of files at the sandbox, jobs that look at them, and who tends to jobs."""

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
def grace(db):
    """Of the staff, and in none of their groups."""
    from tests.factories import make_user

    return make_user(is_staff=True, name="Grace Hopper")


@pytest.fixture
def browser(sandbox, grace, client):
    """Hers, without a sign-in at the sandbox."""
    client.force_login(grace, backend="accounts.sign_in.GlobusSignIn")
    return client


@pytest.fixture
def job(service_account):
    from tests.factories import make_job

    return make_job(service_account, source_path="/tree/", recursive=True)
