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
    "Cookie: of_somebody_else=CANARY; another=CANARY",
    "{'Set-Cookie': 'causeway_person=CANARY; Path=/'}",
    "Authorization: Digest CANARY",
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


@pytest.mark.parametrize(
    "line",
    [
        "code%3DCANARY%26x",
        "('code', 'CANARY')",
        "{'state': ['CANARY']}",
        "<QueryDict: {'code': ['CANARY'], 'state': ['CANARY']}>",
        '{\\"access_token\\": \\"CANARY\\"}',
        "data=b'grant_type=authorization_code&code=CANARY&client_secret=CANARY'",
        "('Authorization', 'Bearer CANARYCANARY')",
        "__Host-sessionid=CANARY; Path=/",
        "csrfmiddlewaretoken=CANARY&next=/",
        "password: 'CANARY'",
        "redis://:CANARY@cache.example.org:6379/0",
    ],
)
def test_g01_a_secret_is_taken_out_however_it_is_written(line):
    assert "CANARY" not in clean(line)


def test_g01_cleaning_twice_is_cleaning_once():
    for line in CANARIES:
        assert clean(clean(line)) == clean(line)


class Kept(logging.Handler):
    """A handler as some package may bring it: no filter, and it reads everything."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.seen = []

    def emit(self, record):
        self.seen.append(f"{record.__dict__!r} {logging.Formatter().format(record)}")

    @property
    def text(self):
        return "\n".join(self.seen)


@pytest.fixture
def foreign_handler():
    """On a logger that does not hand on what it is told, as gunicorn's are."""
    logger, handler = logging.getLogger("somebody.elses"), Kept()
    logger.addHandler(handler)
    logger.propagate, logger.level = False, logging.DEBUG
    yield logger, handler
    logger.removeHandler(handler)
    logger.propagate, logger.level = True, logging.NOTSET


def test_g01_a_handler_of_a_child_logger_gets_clean_records(foreign_handler):
    logger, handler = foreign_handler
    logger.debug("GET /complete/globus/?code=%s", "CANARY")
    logger.info("%(a)s", {"a": "refresh_token=CANARY"})
    try:
        secret = "CANARY"
        raise ValueError(f"client_secret={secret}")
    except ValueError:
        logger.exception("It failed with Authorization: Bearer CANARYCANARY")
    logger.warning("access_token=CANARY", stack_info=True)
    assert len(handler.seen) == 4
    assert "CANARY" not in handler.text.replace('"CANARY"', "").replace("'CANARY'", "")


def test_g01_arguments_that_do_not_fit_are_not_printed(foreign_handler, capsys):
    logger, handler = foreign_handler
    logger.info("one %s two %s", "refresh_token=CANARY")
    assert "with arguments that do not fit" in handler.text
    assert "CANARY" not in handler.text + capsys.readouterr().err


def test_g01_the_access_log_of_gunicorn(foreign_handler):
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    from portal import gunicorn as ours

    config = Config()
    config.set("accesslog", "-")
    gunicorn_log = Logger(config)
    gunicorn_log.access_log, handler = foreign_handler
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": "/complete/globus/?code=CANARY&state=CANARY",
        "PATH_INFO": "/complete/globus/",
        "QUERY_STRING": "code=CANARY&state=CANARY",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_AUTHORIZATION": "Bearer CANARYCANARY",
        "HTTP_COOKIE": "sessionid=CANARY",
        "HTTP_REFERER": "https://x/?code=CANARY",
    }

    class Answer:
        status, sent, headers = "200 OK", 5, ()

    class Asked:
        headers = [
            ("Cookie", "sessionid=CANARY"),
            ("Authorization", "Bearer CANARYCANARY"),
        ]

    for line in (
        ours.access_log_format,
        gunicorn_log.cfg.access_log_format,
        "%(r)s %(q)s %(f)s %({authorization}i)s %({cookie}i)s",
    ):
        gunicorn_log.cfg.set("access_log_format", line)
        from datetime import timedelta

        gunicorn_log.access(Answer(), Asked(), environ, timedelta(seconds=1))
    assert len(handler.seen) == 3
    assert "/complete/globus/" in handler.seen[0]
    assert "CANARY" not in handler.text


def test_g02_loggers_that_print_tokens_are_quiet_whatever_the_level_is():
    for name in ("globus_sdk", "urllib3", "requests", "social", "social_core"):
        assert logging.getLogger(name).level >= logging.INFO
        assert not logging.getLogger(f"{name}.anything").isEnabledFor(logging.DEBUG)


def test_g01_celery_keeps_our_handlers():
    """Its own set-up would bring formatters and levels of its own."""
    from celery import signals

    from portal import celery as ours

    receivers = [ref() for _, ref in signals.setup_logging.receivers]
    assert ours.keep_our_logging in receivers
