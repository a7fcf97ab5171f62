"""G01: nothing that opens something is in a log line."""

import logging

import pytest

from portal.logs import NoSecrets, clean

CANARIES = [
    "GET /complete/globus/?code=CANARY&state=CANARY&iss=CANARY",
    "Authorization: Bearer CANARYCANARY",
    "headers {'Authorization': 'Basic CANARYCANARY=='}",
    '{"access_token": "CANARY", "refresh_token": "CANARY"}',
    "{'refresh_token': 'CANARY'}",
    "Cookie: sessionid=CANARY; csrftoken=CANARY",
    "token AgCANARYCANARYCANARYCANARYCANARYCANARY was refused",
    "token AgCANARY-CANARY_CANARY-CANARY_CANARY was refused",
    "eyJhbGciOiJSUzUxMiJ9.CANARY.CANARY",
    "postgresql://portal:CANARY@db/portal",
    "client_secret=CANARY&x=1",
    "code_verifier=CANARY",
]


@pytest.mark.parametrize("line", CANARIES)
def test_g01_a_secret_is_taken_out(line):
    assert "CANARY" not in clean(line)


def test_g01_what_is_no_secret_stays():
    line = "GET /files/?origin_path=/share/godata 200 in 12 ms"
    assert clean(line) == line


def test_g01_a_line_stays_one_line():
    record = logging.LogRecord(
        "x", logging.INFO, "f", 1, "one\ntwo\r\x1b[31mred %s", ("\u2028end",), None
    )
    NoSecrets().filter(record)
    assert "\n" not in record.getMessage()
    assert "\r" not in record.getMessage()
    assert "\x1b" not in record.getMessage()
    assert "\u2028" not in record.getMessage()


def test_g01_a_traceback_is_cleaned():
    try:
        raise ValueError("refresh_token=CANARY")
    except ValueError:
        import sys

        record = logging.LogRecord("x", logging.ERROR, "f", 1, "m", (), sys.exc_info())
    NoSecrets().filter(record)
    assert record.exc_text is not None
    assert "CANARY" not in record.exc_text
    assert record.exc_info is None
