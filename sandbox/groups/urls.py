"""Routes below ``/groups/v2/``."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from sandbox.groups import changes, views

View = Callable[..., HttpResponse]


def by_method(**served: View) -> View:
    """One route, a view per HTTP method."""

    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        return served.get(request.method or "", views.unknown)(request, **parts)

    return view


_GROUP = "groups/<str:group_id>"

urlpatterns = [
    path("groups", by_method(POST=changes.create)),
    path("groups/my_groups", by_method(GET=views.my_groups)),
    path(
        _GROUP,
        by_method(
            GET=views.group,
            PUT=changes.update,
            DELETE=changes.delete,
            POST=changes.batch,
        ),
    ),
    path(
        f"{_GROUP}/policies",
        by_method(GET=changes.policies, PUT=changes.set_policies),
    ),
    path(
        f"{_GROUP}/membership_fields",
        by_method(GET=changes.fields, PUT=changes.set_fields),
    ),
    path(
        f"{_GROUP}/subscription_admin_verified",
        by_method(PUT=views.verify_by_subscription),
    ),
    path(
        "preferences",
        by_method(GET=changes.preferences, PUT=changes.set_preferences),
    ),
    path("subscription_info/<str:subscription_id>", by_method(GET=views.subscription)),
    re_path("", views.unknown),
]
