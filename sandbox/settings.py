"""Settings of the sandbox alone. It reads no environment and shares nothing.

The database file lies in the data directory, which ``manage.py sandbox`` puts in
place of ``NAME`` before the first connection is made.
"""

# Nothing in the sandbox is signed with this key; Django wants one.
SECRET_KEY = "the sandbox signs nothing with this key"  # noqa: S105 - see above

# A page in somebody's browser must not reach the knobs by DNS rebinding.
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = ["sandbox"]
MIDDLEWARE = ["sandbox.pages.LoopbackHostMiddleware"]
ROOT_URLCONF = "sandbox.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "CONN_MAX_AGE": None,  # a thread keeps its connection
        "OPTIONS": {
            "timeout": 20,  # seconds to wait for another writer
            # Two writers wait for each other at BEGIN, not at the first UPDATE,
            # where SQLite could only refuse one of them.
            "transaction_mode": "IMMEDIATE",
            "init_command": (
                "PRAGMA journal_mode=WAL;"
                # Nothing waits for the disk: it may be busy with a copy. The end
                # of the process loses nothing, only that of the machine does.
                "PRAGMA synchronous=OFF;"
                "PRAGMA cache_size=-16000;"
            ),
        },
    }
}
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
DATA_UPLOAD_MAX_MEMORY_SIZE = None  # transfer documents of 100,000 items are fine
DATA_UPLOAD_MAX_NUMBER_FIELDS = None
LOGGING_CONFIG = None
