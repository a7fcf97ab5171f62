"""Routes below ``/groups/v2/``."""

from django.urls import path, re_path
from django.views.decorators.http import require_GET

from sandbox.groups import views

urlpatterns = [
    path("groups/my_groups", require_GET(views.my_groups)),
    path("groups/<str:group_id>", require_GET(views.group)),
    re_path("", views.unknown),
]
