"""The web process's entry point."""

from portal.startup import django_or_exit

django_or_exit()

# These need the settings.
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import get_resolver  # noqa: E402

application = get_wsgi_application()
# Every view, and with them the SDK's lazy parts, before the fork and the first request.
assert get_resolver().url_patterns
