"""Addresses: each has a name of its own."""

from collections import Counter

from django.urls import URLResolver, get_resolver


def names(resolver, space=""):
    for each in resolver.url_patterns:
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            if each.namespace != "admin":
                yield from names(each, inner)
        elif each.name:
            yield f"{space}{each.name}"


def test_no_two_addresses_have_one_name():
    """Of two, the last would be linked to from the pages of both."""
    found = Counter(names(get_resolver()))
    assert [name for name, count in found.items() if count > 1] == []
    assert found["transfers:rows"] == 1
