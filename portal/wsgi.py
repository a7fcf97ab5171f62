"""The web process's entry point."""

from portal.startup import django_or_exit

django_or_exit()

from django.core.wsgi import get_wsgi_application  # noqa: E402 - needs the settings

application = get_wsgi_application()
