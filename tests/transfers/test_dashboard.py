"""The home page: what runs, what was moved, where to go on; fast with any number."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from sandbox import seed
from tests.factories import make_transfer, make_user
from transfers import volumes
from transfers.models import Transfer
from transfers.templatetags.plots import bar_plot

pytestmark = pytest.mark.django_db

#: a Wednesday
NOW = datetime(2026, 5, 13, 15, 30, tzinfo=UTC)


@pytest.fixture
def emmy():
    return make_user()


@pytest.fixture
def browser(emmy):
    browser = Client()
    browser.force_login(emmy, backend="accounts.sign_in.GlobusSignIn")
    return browser


def page(browser):
    cache.clear()
    return " ".join(browser.get("/").content.decode().split())


def moved(person, size_bytes, at, **fields):
    return make_transfer(
        person,
        status=fields.pop("status", "SUCCEEDED"),
        finished_at=at,
        bytes_transferred=size_bytes,
        files_transferred=1,
        **fields,
    )


def test_weeks_are_summed_where_they_end_and_empty_ones_are_there(emmy):
    moved(emmy, 1000, NOW)
    moved(emmy, 500, NOW - timedelta(days=2), status="FAILED")  # Monday
    moved(emmy, 70, datetime(2026, 5, 10, 23, 59, tzinfo=UTC))  # Sunday
    moved(emmy, 9, NOW - timedelta(weeks=11))
    moved(emmy, 4000, NOW - timedelta(weeks=13))
    moved(make_user(), 8000, NOW)
    make_transfer(emmy, status="ACTIVE", bytes_transferred=3000)
    weeks = volumes.by_week(emmy, now=NOW)
    assert [week.size_bytes for week in weeks] == [9, *[0] * 9, 70, 1500]
    assert (weeks[-1].count, weeks[-1].files) == (2, 2)
    assert str(weeks[-1].day) == "2026-05-11"


def test_the_plot_has_its_table(browser, emmy):
    moved(emmy, 3 * 1024**3, timezone.now())
    shown = page(browser)
    assert "Moved each week" in shown
    assert 'role="img" aria-label="How much was moved in each of 12 weeks, 3.0 GiB' in (
        shown
    )
    assert shown.count("<rect") == 1
    assert shown.count('<td class="num">3.0 GiB</td>') == 1
    assert shown.count("<tr>") >= 13


def test_bars_are_as_high_as_their_values():
    drawn = bar_plot([1, 0, 4], ["a", "b", "<c>"], label="x", begin="p", end="q")
    heights = [
        float(each) for each in re.findall(r'<rect [^>]*height="([^"]+)"', drawn)
    ]
    assert heights == [33.0, 132.0]
    assert "<title>&lt;c&gt;</title>" in drawn
    assert bar_plot([0, 0], ["", ""], label="x", begin="p", end="q") == ""


def test_who_moved_nothing_yet_is_told_how_to_begin(browser):
    shown = page(browser)
    assert "Nothing moved yet" in shown
    assert "Moved each week" not in shown
    assert "Quick send" not in shown
    assert "Nothing is under way, and nothing needs you." in shown


def test_all_that_runs_is_counted_though_not_all_is_listed(browser, emmy):
    for _ in range(13):
        make_transfer(emmy, status="ACTIVE")
    shown = page(browser)
    assert "13 transfers under way" in shown
    assert "13 now" in shown
    polled = browser.get("/overview/")
    assert "13 now" in polled.content.decode()
    make_transfer(emmy, status="ACTIVE", created_at=timezone.now() - timedelta(days=9))
    again = browser.get("/overview/", headers={"If-None-Match": polled["ETag"]})
    assert "14 now" in again.content.decode()


def test_quick_send_leads_from_a_place_to_another(browser, emmy):
    make_transfer(emmy, status="SUCCEEDED", source_name="One", destination_name="Two")
    shown = page(browser)
    form = shown[shown.index('id="quick-send"') :]
    form = form[: form.index("</form>")]
    assert 'action="/files/"' in form
    assert 'formaction="/transfers/new/"' in form
    for name in ("origin_id", "destination_id"):
        select = form[form.index(f'name="{name}"') :]
        select = select[: select.index("</select>")]
        assert f'value="{seed.TUTORIAL_1}"' in select
        assert f'value="{seed.TUTORIAL_2}"' in select
    assert f'value="{seed.TUTORIAL_2}" selected' in form


def test_the_number_of_queries_does_not_grow(
    browser, emmy, django_assert_max_num_queries
):
    def fill(count):
        first = make_transfer(emmy, status="SUCCEEDED", finished_at=timezone.now())
        for status in ("ACTIVE", "FAILED", "SUCCEEDED", "WAITING"):
            Transfer.objects.bulk_create(
                Transfer(
                    user=emmy,
                    document=first.document,
                    source_id=first.source_id,
                    destination_id=first.destination_id,
                    status=status,
                    bytes_transferred=5,
                    submission_id=None if status == "WAITING" else _uuid(),
                    task_id=None if status == "WAITING" else _uuid(),
                    finished_at=timezone.now(),
                )
                for _ in range(count)
            )

    fill(2)
    with django_assert_max_num_queries(22) as few:
        page(browser)
    fill(50)
    # One more counts those that run, as soon as not all are listed.
    with django_assert_max_num_queries(len(few) + 1):
        page(browser)


def _uuid():
    from uuid import uuid4

    return uuid4()
