"""Tables, made straight from the models.

The sandbox's data is disposable, so it has no migrations: a database that was made
for other models is moved aside and a new one is made. This takes some 30 ms.
"""

import sqlite3
import zlib
from pathlib import Path

from django.apps import apps
from django.db import connection, models

from sandbox import models as sandbox_models


def open_database(file: Path) -> bool:
    """Make the tables in ``file`` unless they are there. True if they are new."""
    if file.exists() and _version_of(file) != _version():
        file.rename(file.with_suffix(".old"))
        for companion in ("-wal", "-shm"):
            Path(f"{file}{companion}").unlink(missing_ok=True)
    connection.close()
    connection.settings_dict["NAME"] = str(file)
    if file.exists():
        return False
    # Foreign keys are switched off by SQLite's schema editor, which wants no
    # transaction to be open; one is opened by itself for all tables.
    with connection.schema_editor() as editor:
        for model in _models():
            editor.create_model(model)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA user_version = {_version()}")
    return True


def _models() -> list[type[models.Model]]:
    return list(apps.get_app_config("sandbox").get_models())


def _version() -> int:
    """A number that changes with the models."""
    folder = Path(sandbox_models.__file__).parent
    sources = b"".join(file.read_bytes() for file in sorted(folder.glob("*.py")))
    return zlib.crc32(sources) & 0x7FFFFFFF


def _version_of(file: Path) -> int:
    database = sqlite3.connect(file)
    try:
        return int(database.execute("PRAGMA user_version").fetchone()[0])
    finally:
        database.close()
