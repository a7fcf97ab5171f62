"""What a service account consents to by itself, and what it says when it cannot."""

import re
from collections.abc import Callable
from typing import TypeVar

from accounts.models import Principal, ServiceAccount
from accounts.tokens import grant_data_access
from portal.globus.errors import (
    ConsentRequired,
    NotFound,
    PortalError,
    SessionRequired,
    SignInRequired,
)
from portal.globus.scopes import collections_in

Answer = TypeVar("Answer")


def with_own_consent(principal: Principal, call: Callable[[], Answer]) -> Answer:
    """Makes a call to Globus; a service account consents for itself, and once only.

    :raises ConsentRequired: a person must consent, or the own consent changed nothing
    """
    try:
        return call()
    except ConsentRequired as err:
        wanted = collections_in(err.required_scopes)
        if not isinstance(principal, ServiceAccount) or not wanted:
            raise
        grant_data_access(principal, sorted(map(str, wanted)))
    return call()


def sentence_for(principal: Principal, failure: PortalError) -> str:
    """Why it failed; a service account is not told to sign in again."""
    if isinstance(principal, ServiceAccount):
        if isinstance(failure, NotFound) and failure.code in _GONE:
            return _gone(principal, failure)
        for kind, sentence in _SERVICE_ACCOUNT_SENTENCES.items():
            if isinstance(failure, kind):
                return sentence.format(name=principal.name)
    return failure.advice


#: Globus's codes for a collection that is not there (any more)
_GONE = ("EndpointNotFound", "EndpointDeleted")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _gone(account: ServiceAccount, failure: NotFound) -> str:
    named = _UUID.search(failure.detail)
    which = f"The collection {named.group()}" if named else "One of the collections"
    if failure.code == "EndpointDeleted":
        return f"{which} has been deleted. Choose another one in the job."
    return (
        f"{which} does not exist any more, or the service account “{account}” may not "
        "see it."
    )


_SERVICE_ACCOUNT_SENTENCES: dict[type[PortalError], str] = {
    SignInRequired: "Globus did not accept the token of the service account “{name}”.",
    ConsentRequired: (
        "Globus asks for a consent that the service account “{name}” cannot give "
        "by itself."
    ),
    SessionRequired: (
        "The collection wants a person's sign-in, which the service account “{name}” "
        "cannot do."
    ),
}
