"""The portal's settings with django-celery-beat, for the baseline only."""

from portal.settings import *  # noqa: F403 - all of them
from portal.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "django_celery_beat"]
