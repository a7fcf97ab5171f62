"""T07: a secret slips out of nothing."""

import copy
import json
import logging
import pickle

import pytest

from accounts.secret import Secret

CANARY = "AgCanary0123456789"


def test_t07_every_way_to_show_a_secret_hides_it():
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>9}"]
    shown += ["%s %r" % (secret, secret), repr([secret]), repr({"a": secret})]  # noqa: UP031

    assert all(CANARY not in text for text in shown)
    assert "***" in shown[0]


@pytest.mark.parametrize(
    "way", [json.dumps, pickle.dumps, copy.copy, copy.deepcopy, list, vars, hash]
)
def test_t07_no_machine_takes_a_secret_apart(way):
    with pytest.raises(TypeError) as caught:
        way(Secret(CANARY))
    assert CANARY not in str(caught.value)


def test_t07_reveal_is_the_only_way():
    assert Secret(CANARY).reveal() == CANARY


def test_t07_a_log_line_hides_it(caplog):
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning(
            "got %s and %r", Secret(CANARY), Secret(CANARY)
        )
    assert CANARY not in caplog.text


def test_secrets_compare_without_showing():
    assert Secret(CANARY) == Secret(CANARY)
    assert Secret(CANARY) != Secret("other")
    assert Secret(CANARY) != CANARY
    assert not Secret("")
