"""Settings of the portal, read from the environment (docs/configuration.md).

Nothing secret has a default. ``portal.demo`` and the tests fill the environment; a
production site does it with its own secrets.
"""

from pathlib import Path

import django_stubs_ext
from celery.schedules import crontab
from csp.constants import NONE, SELF
from globus_sdk import config as sdk_config
from kombu import Queue

from portal import env

# Lets ``ModelAdmin[User]`` and the like stand in code that runs.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

PUBLIC_BASE_URL = env.public_base_url()
SECURE = PUBLIC_BASE_URL.scheme == "https"

SECRET_KEY = env.env_secret("PORTAL_SECRET_KEY")
VAULT_KEYS_FILE = Path(env.env_str("PORTAL_VAULT_KEYS_FILE"))
DEBUG = False
ALLOWED_HOSTS = [PUBLIC_BASE_URL.hostname]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "portal.admin_site.CausewayAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "social_django",
    "csp",
    "django_htmx",
    "bootstrap",  # django-bootstrap-static: Bootstrap's files
    "portal",
    "accounts",
    "transfers",
]

MIDDLEWARE = [
    "portal.middleware.RequestIdMiddleware",
    "portal.middleware.ClientAddressMiddleware",
    # In front of what answers by itself: also a redirect to https and the answer to a
    # host that is not ours have a policy.
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.sessions.SessionLifetimeMiddleware",
    "accounts.wall.SignInWall",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.PrivatePagesMiddleware",
    "portal.middleware.FailurePageMiddleware",
    "accounts.wall.GoingOn",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.everywhere",
            ]
        },
    }
]

# Data
#
# Web and worker processes run threads, so connections come from a pool; a thread
# waits at most ten seconds for one.
DATABASES = {"default": env.database_from_url(env.env_secret("DATABASE_URL"))}
DATABASES["default"]["OPTIONS"] |= {  # type: ignore[operator]
    "connect_timeout": 5,
    "pool": {
        "min_size": 0,
        "max_size": env.env_int("PORTAL_DATABASE_POOL", 20),
        "timeout": 10,
        "max_idle": 300,
    },
}
# Looks at a connection before it is used: after a restart of PostgreSQL each one of a
# pool would fail once, twenty requests in all. It costs a twentieth of a millisecond.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
REDIS_URL = env.env_secret("REDIS_URL")
#: where listings are kept for a few minutes; a user of its own may own it (Q03)
LISTINGS_REDIS_URL = env.env_secret("PORTAL_LISTINGS_REDIS_URL", REDIS_URL)

# What Globus Transfer answers each identity in a second; 0: not counted.
GLOBUS_REQUESTS_PER_SECOND = env.env_int("PORTAL_REQUESTS_PER_SECOND", 20)

AUTH_USER_MODEL = "accounts.User"
SESSION_ENGINE = "portal.sessions"
SESSION_SERIALIZER = "django.contrib.sessions.serializers.JSONSerializer"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Time and language
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# Static files: built ones (``collectstatic``) when there are any, as in the image;
# from a checkout they are served as they lie.
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
_BUILT = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not _BUILT
STORAGES = {
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if _BUILT
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    }
}

# Sessions, cookies, headers (security.md S01–S10)
_HOST_PREFIX = "__Host-" if SECURE else ""
SESSION_COOKIE_NAME = f"{_HOST_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{_HOST_PREFIX}csrftoken"
PERSON_COOKIE_NAME = f"{_HOST_PREFIX}person"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Lax: a strict cookie is lost when the person comes back from the provider.
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "portal.views.csrf_failure"
# Seconds: seven days, the longest that any session lasts (portal.sessions).
SESSION_COOKIE_AGE = 604_800
SESSION_SAVE_EVERY_REQUEST = False
SECURE_SSL_REDIRECT = SECURE
# One proxy of our own, which sets X-Forwarded-Proto and X-Forwarded-For itself.
BEHIND_TLS_PROXY = env.env_bool("PORTAL_BEHIND_TLS_PROXY")
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = env.env_int("PORTAL_HSTS_SECONDS", 31_536_000) if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
USE_X_FORWARDED_HOST = False
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
# Files into a collection. One that a script sends goes through as it comes; those of
# a form are kept in nameless files until the form's token was looked at.
UPLOAD_BYTES = env.env_int("PORTAL_UPLOAD_BYTES", 10 * 1024**3)
FORM_UPLOAD_BYTES = env.env_int("PORTAL_FORM_UPLOAD_BYTES", 100 * 1024**2)
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "portal.uploads.NamelessFiles",
]
#: files on their way through one process; the rest of its threads are for pages
STREAMS = env.env_int("PORTAL_STREAMS", max(1, env.web_threads() * 3 // 4))
STREAMS_PER_PERSON = env.env_int("PORTAL_STREAMS_PER_PERSON", 3)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# Sign-in (security.md section 2). The SDK's own variables say where Globus Auth is,
# so that sign-in and API calls always speak to the same deployment.
GLOBUS_CLIENT_ID = env.env_str("GLOBUS_CLIENT_ID")
GLOBUS_CLIENT_SECRET = env.env_secret("GLOBUS_CLIENT_SECRET")
GLOBUS_AUTH_URL = sdk_config.get_service_url("auth").rstrip("/")
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = [
    "accounts.sign_in.GlobusSignIn",
    "accounts.local_admin.LocalAdmin",
]
# Passwords of accounts made by ``createsuperuser``, for /admin/ only (A04).
LOCAL_ADMIN = env.env_bool(
    "PORTAL_LOCAL_ADMIN", default=env.is_loopback(PUBLIC_BASE_URL.hostname or "")
)
SOCIAL_AUTH_PIPELINE = (
    "social_core.pipeline.social_auth.social_details",
    "social_core.pipeline.social_auth.social_uid",
    "social_core.pipeline.social_auth.auth_allowed",
    "accounts.sign_in.lock_identity",
    "accounts.sign_in.refuse_second_identity",
    "social_core.pipeline.social_auth.social_user",
    "accounts.sign_in.find_or_create_user",
    "social_core.pipeline.social_auth.associate_user",
    "accounts.sign_in.remember_profile",
    "accounts.sign_in.store_tokens",
    "accounts.sign_in.apply_groups",
    "transfers.after_sign_in.send_on",
)
SOCIAL_AUTH_JSONFIELD_ENABLED = True
SOCIAL_AUTH_RAISE_EXCEPTIONS = False
SOCIAL_AUTH_REDIRECT_IS_HTTPS = SECURE
SOCIAL_AUTH_SANITIZE_REDIRECTS = True
SOCIAL_AUTH_LOGIN_REDIRECT_URL = LOGIN_REDIRECT_URL
SOCIAL_AUTH_GLOBUS_KEY = GLOBUS_CLIENT_ID
SOCIAL_AUTH_GLOBUS_SECRET = GLOBUS_CLIENT_SECRET
SOCIAL_AUTH_GLOBUS_OIDC_ENDPOINT = GLOBUS_AUTH_URL
SOCIAL_AUTH_GLOBUS_ID_TOKEN_ISSUER = GLOBUS_AUTH_URL
SOCIAL_AUTH_GLOBUS_USE_PKCE = True
SOCIAL_AUTH_GLOBUS_JWT_ALGORITHMS = ["RS512"]
SOCIAL_AUTH_GLOBUS_JWT_LEEWAY = 60  # seconds
SOCIAL_AUTH_GLOBUS_ID_TOKEN_MAX_AGE = 300  # seconds
SOCIAL_AUTH_GLOBUS_STATE_LIFETIME = 1800  # seconds
SOCIAL_AUTH_GLOBUS_NONCE_LIFETIME = 1800  # seconds
SOCIAL_AUTH_GLOBUS_TOKEN_ENDPOINT_AUTH_METHOD = "client_secret_basic"  # noqa: S105 - the method's name
SOCIAL_AUTH_GLOBUS_AUTH_EXTRA_ARGUMENTS = {"access_type": "offline"}
SOCIAL_AUTH_GLOBUS_ALLOWED_REDIRECT_HOSTS: list[str] = []
SOCIAL_AUTH_GLOBUS_EXTRA_DATA: list[str] = []
SOCIAL_AUTH_GLOBUS_VERIFY_SSL = sdk_config.get_ssl_verify()

#: how often a person, or an address where nobody is signed in yet, may sign in
SIGN_INS_PER_MINUTE = env.env_int("PORTAL_SIGN_INS_PER_MINUTE", 10)
SIGN_INS_PER_HOUR = env.env_int("PORTAL_SIGN_INS_PER_HOUR", 60)
#: asked for sign-in and nothing else; the usual variables of a shell are not read
AUTH_PROXY = env.env_str("PORTAL_AUTH_PROXY", "")

# Globus groups that open the portal, the staff pages and the admin; empty: everyone
# may come in, nobody becomes staff by signing in.
GROUP_USERS = env.env_uuid("PORTAL_GROUP_USERS")
GROUP_STAFF = env.env_uuid("PORTAL_GROUP_STAFF")
GROUP_ADMINS = env.env_uuid("PORTAL_GROUP_ADMINS")

# Looks up what a collection is called; the pages that say what Globus wants use it.
COLLECTION_NAMES = "transfers.views.collections.name_of"

# Tells ``accounts`` what people have going on.
WORK_OF_PEOPLE = "transfers.leaving"

# Mail
globals().update(env.email_from_url(env.env_secret("EMAIL_URL", "console:")))
DEFAULT_FROM_EMAIL = env.env_str(
    "PORTAL_FROM_EMAIL", f"causeway@{PUBLIC_BASE_URL.hostname}"
)
#: whether people get a mail when work in the background needs them
MAIL_WHEN_NEEDED = env.env_bool("PORTAL_MAIL_WHEN_NEEDED", default=True)

#: whether webhooks may lead into private networks and go without TLS; for tests, and
#: for a receiver beside the portal
WEBHOOKS_TO_PRIVATE = env.env_bool("PORTAL_WEBHOOKS_TO_PRIVATE", default=False)

# Workers (security.md section 6). Redis carries messages, Postgres holds the truth.
CELERY_BROKER_URL = env.broker_from_url(REDIS_URL)
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_SOFT_TIME_LIMIT = 3300  # seconds; prefork queue only
CELERY_TASK_TIME_LIMIT = 3600  # seconds; prefork queue only
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a long outage of Redis ends no worker
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 10_800,  # seconds; longer than any run
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
}
# A page does not wait for a Redis that hangs; the sweep sends what was not queued.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TIMEZONE = "UTC"
# A tick does not queue up behind the runs that the one before it has sent. A worker
# that is told no queues serves both, in turn.
CELERY_TASK_DEFAULT_QUEUE = "celery"
CELERY_TASK_QUEUES = [Queue("tick"), Queue("celery")]
CELERY_TASK_ROUTES = {"transfers.tasks.tick": {"queue": "tick"}}
# Beat ticks, and has nothing to remember between two of its messages.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
CELERY_BEAT_SCHEDULE = {
    "tick": {
        "task": "transfers.tasks.tick",
        "schedule": env.env_int("PORTAL_TICK_SECONDS", 5),
        "options": {"expires": 5},
    },
    "clean-up": {
        "task": "portal.tasks.clean_up",
        "schedule": crontab(minute=17, hour="*/6"),
        "options": {"expires": 3600},
    },
}

LOG_LEVEL = env.env_word(
    "PORTAL_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")
)
# Logs: every record is cleaned when it is made, whoever handles it (security.md G01),
# and once more by our own handlers.
LOGGING_CONFIG = "portal.logs.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"no_secrets": {"()": "portal.logs.NoSecrets"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["no_secrets"],
            "formatter": "line",
        },
        "mail": {
            "class": "portal.error_reports.ErrorMail",
            "filters": ["no_secrets"],
            "level": "ERROR",
        },
    },
    "root": {"handlers": ["stderr", "mail"], "level": LOG_LEVEL},
    "loggers": {
        # These print tokens or whole answers at DEBUG.
        "globus_sdk": {"level": "INFO"},
        "urllib3": {"level": "INFO"},
        "requests": {"level": "INFO"},
        "social": {"level": "INFO"},
        "social_core": {"level": "INFO"},
        # These are handed the request itself, for any handler to print.
        "django.request": {"filters": ["no_secrets"]},
        "django.security.csrf": {"filters": ["no_secrets"]},
        "django.server": {"handlers": [], "propagate": True},
        "django": {"handlers": [], "propagate": True},
    },
}
# Reports about errors: no values of variables, no form fields, no cookies (G03).
ERROR_MAIL_TO = env.env_list("PORTAL_ERROR_MAIL_TO")
DEFAULT_EXCEPTION_REPORTER = "portal.error_reports.Reporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "portal.error_reports.NoValues"

# Figures for a monitoring system: from this machine, or for who knows the token (G05).
METRICS_TOKEN = env.env_secret("PORTAL_METRICS_TOKEN", "")

# Browsers' preload lists are for an operator to decide on: they are hard to leave.
SILENCED_SYSTEM_CHECKS = ["security.W021"]
