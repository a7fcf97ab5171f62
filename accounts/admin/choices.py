"""Whom the administration offers in a list."""

from django.db.models import Model, Q, QuerySet

from accounts.models import User


def staff_or(model: type[Model], field: str) -> QuerySet[User]:
    """Active staff, and whoever stands in ``field`` already.

    They are few enough for a plain list, which works without a script; the stock search
    field does not, and writes styles that the content policy refuses.
    """
    named = model._default_manager.filter(**{f"{field}__isnull": False})
    found = Q(is_staff=True, is_active=True) | Q(pk__in=named.values(field))
    return User.objects.filter(found).order_by("name", "preferred_username")
