"""Settings for the type checker, which loads Django but never connects anywhere."""

import base64
import os
import tempfile
from pathlib import Path

_keys = Path(tempfile.mkdtemp()) / "vault-keys"
_keys.write_text("00000001:" + base64.b64encode(bytes(range(32))).decode())
os.environ.update(
    PORTAL_SECRET_KEY="for the type checker only",
    PORTAL_VAULT_KEYS_FILE=str(_keys),
    PUBLIC_BASE_URL="http://localhost:8000",
    GLOBUS_CLIENT_ID="00000000-0000-4000-8000-000000000000",
    GLOBUS_CLIENT_SECRET="for the type checker only",
    DATABASE_URL="postgresql://nobody@/none",
    REDIS_URL="redis://localhost/0",
)

from portal.settings import *  # noqa: E402, F403 - needs the variables above

# Its models have types of their own; the portal never loads it.
INSTALLED_APPS = [*INSTALLED_APPS, "sandbox"]  # noqa: F405
