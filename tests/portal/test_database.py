"""What a restart of PostgreSQL leaves behind in the pool of connections."""

from __future__ import annotations

import threading

import pytest
from django.db import connection


def in_a_thread(results, sql):
    """With a connection out of the pool, given back afterwards."""

    def ask():
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                results.append(cursor.fetchone()[0])
        finally:
            connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_in_the_pool_is_not_handed_out():
    results = []
    in_a_thread(results, "SELECT pg_backend_pid()")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [results[0]])
    in_a_thread(results, "SELECT 1")
    assert results[1:] == [1]
