"""The Celery application: workers that wait for the network, and the tick."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import redis
from celery import Celery, Task
from celery.signals import (
    beat_init,
    setup_logging,
    worker_init,
    worker_shutting_down,
)
from django.db import transaction
from kombu.exceptions import OperationalError as BrokerError

from portal.memory import give_back_early
from portal.startup import django_or_exit, services_or_exit

logger = logging.getLogger(__name__)

django_or_exit()

app = Celery("causeway")
app.config_from_object("django.conf:settings", namespace="CELERY")
# The current application is one per thread, and Celery makes one of its own when it is
# asked too early. Threads that did not import this module must send to ours as well.
app.set_default()
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Celery's own set-up would go around the filter that takes secrets out."""


_is_shutting_down = False


@worker_shutting_down.connect
def take_no_more(**kwargs: Any) -> None:
    global _is_shutting_down
    _is_shutting_down = True


def is_free() -> bool:
    """Whether the thread of a worker may stay at what it does: no message waits for
    it, and its worker is not to stop.
    """
    if _is_shutting_down:
        return False
    try:
        connection: Any
        with app.pool.acquire(block=True) as connection:
            names = [each.name for each in app.conf.task_queues]
            return not connection.default_channel.client.exists(*names)
    except (BrokerError, redis.RedisError):
        return True  # nobody can wait there


@worker_init.connect
def keep_memory_small(**kwargs: Any) -> None:
    give_back_early()


@worker_init.connect
@beat_init.connect
def check_services(**kwargs: Any) -> None:
    services_or_exit()


def send_after_commit(worker_function: Task[..., Any], *args: str) -> None:
    """Queue work once the rows it is about are committed.

    A message that cannot be sent is no error for the caller: the row says what is to
    be done, and the sweep (``transfers.tasks.tick``) sends it again.
    """

    def send() -> None:
        try:
            worker_function.delay(*args)
        except BrokerError:
            logger.warning(
                "Redis took no message for %s %s; the sweep will send it",
                worker_function.name,
                args,
            )

    transaction.on_commit(send)


def send_all_after_commit(
    worker_function: Task[..., Any], arguments: Sequence[str]
) -> None:
    """As ``send_after_commit``, a message for each argument, over one connection."""

    def send() -> None:
        sent = 0
        try:
            with app.producer_pool.acquire(block=True) as producer:
                for sent, argument in enumerate(arguments, start=1):  # noqa: B007 - told below
                    worker_function.apply_async((argument,), producer=producer)
        except BrokerError:
            logger.warning(
                "Redis took no more than %s of %s messages for %s; the sweep will "
                "send the rest",
                max(sent - 1, 0),
                len(arguments),
                worker_function.name,
            )

    if arguments:
        transaction.on_commit(send)
