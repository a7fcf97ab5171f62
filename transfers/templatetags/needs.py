"""How much needs a person, for the header of every page."""

from django import template

from accounts.models import User
from transfers import open_matters

register = template.Library()


@register.simple_tag
def needs_count(user: User) -> int:
    return open_matters.count(user)
