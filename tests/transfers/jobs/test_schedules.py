"""When schedules are due: both clock changes in four zones, and what never fires."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfers.jobs.schedules import (
    BadSchedule,
    check,
    due_after,
    next_due,
    preview,
    rhythm_of,
)
from transfers.jobs.timing import Schedule

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def rhythm(**fields):
    if "cron" in fields:
        fields["kind"] = "cron"
    elif "rule" in fields:
        fields["kind"] = "rule"
    return rhythm_of(Schedule(**fields))


def local(found, zone):
    return [each.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for each in found]


def first(count, a_rhythm, after):
    return list(itertools.islice(due_after(a_rhythm, after), count))


def at(zone, *moment):
    return datetime(*moment, tzinfo=ZoneInfo(zone))


GOLDEN = [
    # zone, cron line, from, what is due
    (
        "America/New_York",
        "30 2 * * *",
        (2026, 3, 7, 12),
        ["03-08 03:00-0400", "03-09 02:30-0400"],
    ),
    (
        "America/New_York",
        "30 1 * * *",
        (2026, 10, 31, 12),
        ["11-01 01:30-0400", "11-02 01:30-0500"],
    ),
    (
        "America/New_York",
        "0 * * * *",
        (2026, 3, 8, 0, 30),
        ["03-08 01:00-0500", "03-08 03:00-0400"],
    ),
    (
        "America/New_York",
        "0 * * * *",
        (2026, 11, 1, 0, 30),
        ["11-01 01:00-0400", "11-01 01:00-0500", "11-01 02:00-0500"],
    ),
    (
        "Europe/London",
        "15 1 * * *",
        (2026, 3, 28, 12),
        ["03-29 02:00+0100", "03-30 01:15+0100"],
    ),
    (
        "Europe/London",
        "15 1 * * *",
        (2026, 10, 24, 12),
        ["10-25 01:15+0100", "10-26 01:15+0000"],
    ),
    (
        "Europe/London",
        "*/30 * * * *",
        (2026, 10, 25, 0, 45),
        [
            "10-25 01:00+0100",
            "10-25 01:30+0100",
            "10-25 01:00+0000",
            "10-25 01:30+0000",
        ],
    ),
    (
        "Asia/Kolkata",
        "30 2 * * *",
        (2026, 3, 7, 12),
        ["03-08 02:30+0530", "03-09 02:30+0530"],
    ),
    (
        "Asia/Kolkata",
        "30 1 * * *",
        (2026, 10, 31, 12),
        ["11-01 01:30+0530", "11-02 01:30+0530"],
    ),
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        (2026, 10, 3, 12),
        ["10-04 02:30+1100", "10-05 02:15+1100"],
    ),
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        (2026, 4, 4, 12),
        ["04-05 01:45+1100", "04-06 01:45+1030"],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 * * * *",
        (2026, 4, 5, 1, 40),
        [
            "04-05 01:45+1100",
            "04-05 01:30+1030",
            "04-05 01:45+1030",
            "04-05 02:00+1030",
        ],
    ),
]


@pytest.mark.parametrize(("zone", "line", "since", "expected"), GOLDEN)
def test_a_cron_line_over_a_change_of_the_clocks(zone, line, since, expected):
    found = first(len(expected), rhythm(cron=line, zone=zone), at(zone, *since))
    assert local(found, zone) == expected


RULES = [
    # RFC 5545: a wall time that is left out has the offset from before
    (
        "America/New_York",
        "FREQ=DAILY",
        (2026, 3, 6, 2, 30),
        ["03-07 02:30-0500", "03-08 03:30-0400", "03-09 02:30-0400"],
    ),
    (
        "America/New_York",
        "FREQ=DAILY",
        (2026, 10, 31, 1, 30),
        ["11-01 01:30-0400", "11-02 01:30-0500"],
    ),
    (
        "Europe/London",
        "FREQ=HOURLY",
        (2026, 10, 25, 0, 30),
        ["10-25 01:30+0100", "10-25 01:30+0000", "10-25 02:30+0000"],
    ),
    (
        "Europe/London",
        "FREQ=MINUTELY;INTERVAL=30",
        (2026, 3, 29, 0, 30),
        ["03-29 02:00+0100", "03-29 02:30+0100"],
    ),
    (
        "Asia/Kolkata",
        "FREQ=WEEKLY;BYDAY=SU,MO",
        (2026, 3, 7, 2, 30),
        ["03-08 02:30+0530", "03-09 02:30+0530", "03-15 02:30+0530"],
    ),
    (
        "Australia/Lord_Howe",
        "FREQ=DAILY",
        (2026, 10, 3, 2, 15),
        ["10-04 02:45+1100", "10-05 02:15+1100"],
    ),
    (
        "Australia/Lord_Howe",
        "FREQ=HOURLY",
        (2026, 4, 5, 0, 45),
        ["04-05 01:45+1100", "04-05 01:45+1030", "04-05 02:45+1030"],
    ),
]


@pytest.mark.parametrize(("zone", "line", "start", "expected"), RULES)
def test_a_rule_over_a_change_of_the_clocks(zone, line, start, expected):
    start = at(zone, *start)
    found = first(len(expected), rhythm(rule=line, zone=zone, start_at=start), start)
    assert local(found, zone) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1", ["2026-01-26", "2026-02-23"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-01-31", "2026-03-31"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2028-02-29", "2032-02-29"]),
        ("FREQ=DAILY;INTERVAL=3", ["2026-01-04", "2026-01-07"]),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2", ["2026-01-15", "2026-01-29"]),
        ("FREQ=DAILY;COUNT=3", ["2026-01-02", "2026-01-03"]),
        ("FREQ=DAILY;UNTIL=20260102", ["2026-01-02"]),
        ("FREQ=DAILY;UNTIL=20260102T115959Z", []),
        (
            "FREQ=MINUTELY;INTERVAL=1440;COUNT=4",
            ["2026-01-02", "2026-01-03", "2026-01-04"],
        ),
    ],
)
def test_a_rule_says_which_days(line, expected):
    # The start itself is not after the start.
    found = first(len(expected) or 1, rhythm(rule=line, start_at=NOW), NOW)
    assert [f"{each:%Y-%m-%d}" for each in found] == expected


def test_a_rule_that_counts_comes_to_its_end():
    counted = rhythm(rule="FREQ=HOURLY;COUNT=5", start_at=NOW)
    assert len(first(10, counted, NOW - timedelta(days=1))) == 5
    assert next_due(counted, NOW + timedelta(hours=3, minutes=30)) == NOW + timedelta(
        hours=4
    )
    assert next_due(counted, NOW + timedelta(hours=4)) is None


def test_a_place_in_the_week_is_counted_in_whole_weeks_wherever_a_search_begins():
    """The library counts in what is left of the week that it begins in."""
    mondays = rhythm(
        rule="FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1",
        start_at=datetime(2026, 1, 7, 9, tzinfo=UTC),  # a Wednesday
    )
    found = first(2, mondays, datetime(2026, 1, 22, 10, tzinfo=UTC))
    assert [f"{each:%a %d}" for each in found] == ["Mon 26", "Mon 02"]


def test_a_rule_that_began_years_ago_costs_no_more():
    old = rhythm(rule="FREQ=DAILY;INTERVAL=3", start_at=NOW - timedelta(days=30_000))
    began = time.process_time()
    found = next_due(old, NOW)
    assert time.process_time() - began < 0.1
    assert (found - old.start_at).days % 3 == 0


def test_an_interval_counts_real_minutes_from_its_start():
    start = at("America/New_York", 2026, 10, 31, 23).astimezone(UTC)
    every = rhythm(
        kind="interval",
        interval_minutes=90,
        start_at=start,
        zone="America/New_York",
    )
    found = first(3, every, start - timedelta(seconds=1))
    assert found == [start + number * timedelta(minutes=90) for number in range(3)]


def test_once_is_once():
    once = rhythm(kind="once", start_at=NOW)
    assert first(3, once, NOW - timedelta(days=1)) == [NOW]
    assert next_due(once, NOW) is None


def test_days_off_start_and_end():
    daily = rhythm(
        cron="0 6 * * *",
        zone="Europe/Berlin",
        start_at=at("Europe/Berlin", 2026, 12, 22),
        end_at=at("Europe/Berlin", 2026, 12, 28, 6),
        excluded_dates=["2026-12-24", "2026-12-25"],
    )
    days = [each.astimezone(daily.zone).day for each in due_after(daily, NOW)]
    assert days == [22, 23, 26, 27, 28]


def test_a_month_of_days_off_is_one_step_for_a_schedule_of_every_minute():
    month = [(date(2026, 1, 2) + timedelta(days=n)).isoformat() for n in range(300)]
    every = rhythm(cron="* * * * *", excluded_dates=month)
    began = time.process_time()
    assert next_due(every, datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) == datetime(
        2026, 10, 29, tzinfo=UTC
    )
    assert time.process_time() - began < 0.5


def test_a_blackout_holds_back_and_is_in_the_preview():
    office = [
        {"days": [0, 1, 2, 3, 4], "from": "08:00", "to": "18:00"},
        {"days": [0], "from": "18:00", "to": "02:00"},
    ]
    hourly = rhythm(cron="0 */6 * * *", zone="Europe/Berlin", blackouts=office)
    monday = at("Europe/Berlin", 2026, 1, 5, 3)
    lines = preview(hourly, monday, count=4)
    assert [f"{each.local:%d %H}" for each in lines] == [
        "05 06",
        "05 12",
        "05 18",
        "06 00",
    ]
    starts = [f"{each.starts_at.astimezone(hourly.zone):%d %H}" for each in lines]
    assert starts == ["05 06", "06 02", "06 02", "06 02"]
    assert "until 2026-01-06 02:00" in lines[1].note
    assert lines[0].note == ""


def test_the_preview_tells_of_the_clocks():
    daily = rhythm(cron="30 2 * * *", zone="America/New_York")
    forward = preview(daily, at("America/New_York", 2026, 3, 7, 12), count=2)
    assert forward[0].note == "The clocks go forward by 60 minutes on this day."
    assert forward[1].note == ""
    back = preview(daily, at("America/New_York", 2026, 10, 31, 12), count=1)
    assert back[0].note == "The clocks go back by 60 minutes on this day."


def test_the_preview_has_ten_lines():
    assert len(preview(rhythm(cron="* * * * *"), NOW)) == 10


# --- what bad input gets


BAD = [
    ({"cron": "0 0 30 2 *"}, "cron", "no month named here has such a day"),
    ({"cron": "* * * * * *"}, "cron", "more often than once a minute"),
    ({"cron": "61 * * * *"}, "cron", "minute"),
    ({"cron": "* * *"}, "cron", "five fields"),
    ({"cron": ""}, "cron", "five fields"),
    ({"cron": "0 0 * * 9"}, "cron", "day-of-week"),
    ({"cron": "0 0 * * x"}, "cron", "cannot be read"),
    ({"cron": "0 0 * * *", "zone": "Mars/Olympus"}, "zone", "no time zone"),
    ({"cron": "0 0 * * *", "zone": "../etc/passwd"}, "zone", "no time zone"),
    ({"cron": "0 0 * * *", "zone": "America"}, "zone", "no time zone"),
    ({"cron": "0 0 * * *", "zone": ""}, "zone", "no time zone"),
    ({"rule": "FREQ=SECONDLY"}, "rule", "more often than once a minute"),
    ({"rule": "FREQ=DAILY;BYSECOND=1,2"}, "rule", "more often than once a minute"),
    ({"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "rule", "No day fits"),
    ({"rule": "FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30"}, "rule", "No day fits"),
    (
        {"rule": "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1"},
        "rule",
        "many years",
    ),
    ({"rule": "FREQ=DAILY;INTERVAL=0"}, "rule", "INTERVAL is a whole number"),
    ({"rule": "FREQ=DAILY;COUNT=99999999"}, "rule", "COUNT is a whole number"),
    ({"rule": "FREQ=DAILY;COUNT=2;UNTIL=20270101"}, "rule", "not both"),
    ({"rule": "FREQ=DAILY;UNTIL=tomorrow"}, "rule", "UNTIL is written like"),
    ({"rule": "FREQ=DAILY;BYHOUR=25"}, "rule", "cannot be read"),
    ({"rule": "FREQ=DAILY;FREQ=WEEKLY"}, "rule", "twice"),
    ({"rule": "FREQ=DAILY;COLOUR=RED"}, "rule", "COLOUR"),
    ({"rule": "EVERY DAY"}, "rule", "NAME=VALUE"),
    ({"rule": "INTERVAL=2"}, "rule", "how often"),
    ({"rule": "FREQ=DAILY;BYDAY=2MO"}, "rule", "second Monday"),
    ({"rule": "DTSTART:20260101\nRRULE:FREQ=DAILY"}, "rule", "one rule"),
    ({"kind": "interval", "interval_minutes": 0}, "interval_minutes", "from 1"),
    ({"kind": "once", "start_at": NOW - timedelta(days=1)}, "start_at", "passed"),
    ({"kind": "interval", "interval_minutes": 5, "start_at": None}, "start_at", "from"),
    (
        {"cron": "0 0 1 1 *", "end_at": NOW + timedelta(days=2)},
        "end_at",
        "never be due",
    ),
    (
        {"cron": "0 0 * * *", "end_at": NOW - timedelta(days=2)},
        "end_at",
        "before it starts",
    ),
    ({"cron": "0 0 * * *", "excluded_dates": ["Christmas"]}, "excluded_dates", "date"),
    (
        {"cron": "0 0 * * *", "blackouts": [{"days": [9], "from": "1", "to": "2"}]},
        "blackouts",
        "Window 1",
    ),
    (
        {
            "cron": "0 0 * * *",
            "blackouts": [{"days": [*range(7)], "from": "00:00", "to": "00:00"}],
        },
        "blackouts",
        "no moment",
    ),
]


@pytest.mark.parametrize(("fields", "field", "says"), BAD)
def test_a_bad_schedule_says_why_at_the_field(fields, field, says):
    kind = "cron" if "cron" in fields else "rule"
    schedule = Schedule(**{"kind": kind, "start_at": NOW} | fields)
    began = time.process_time()
    with pytest.raises(BadSchedule) as caught:
        check(schedule, NOW)
    assert says in caught.value.problems[field]
    assert time.process_time() - began < 3


# --- properties

ZONES = st.sampled_from(
    ["UTC", "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]
)
CRONS = st.builds(
    "{} {} {} {} {}".format,
    st.sampled_from(["*", "0", "30", "*/7", "15,45", "0-20"]),
    st.sampled_from(["*", "1", "2", "*/5", "1,2,3", "23"]),
    st.sampled_from(["*", "1", "29", "L", "10-12"]),
    st.sampled_from(["*", "3", "4,10,11"]),
    st.sampled_from(["*", "SUN", "1-5", "0#1", "5L"]),
)
RULE_TEXTS = st.sampled_from(
    [
        "FREQ=DAILY",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=MINUTELY;INTERVAL=47",
        "FREQ=WEEKLY;BYDAY=SU;BYHOUR=1,2;BYMINUTE=30",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;BYSETPOS=1;WKST=SU",
        "FREQ=MONTHLY;BYDAY=-1SU",
        "FREQ=DAILY;COUNT=40",
        "FREQ=HOURLY;BYHOUR=1,2;COUNT=30",
        "FREQ=MINUTELY;BYDAY=SU;BYHOUR=2;BYMINUTE=0,59",
    ]
)
STARTS = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2027, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
RHYTHMS = st.one_of(
    st.builds(lambda line, zone: rhythm(cron=line, zone=zone), CRONS, ZONES),
    st.builds(
        lambda line, zone, start: rhythm(
            rule=line, zone=zone, start_at=start.replace(second=0, microsecond=0)
        ),
        RULE_TEXTS,
        ZONES,
        STARTS,
    ),
)


@given(a_rhythm=RHYTHMS, after=STARTS)
def test_what_is_previewed_is_what_fires(a_rhythm, after):
    """Fired one by one, each search beginning at the last due time, as the ledger."""
    shown = [each.at for each in preview(a_rhythm, after)]
    fired, last = [], after
    for _ in shown:
        last = next_due(a_rhythm, last)
        fired.append(last)
    assert fired == shown
    assert all(
        earlier < later for earlier, later in itertools.pairwise([after, *shown])
    )


@given(a_rhythm=RHYTHMS, after=STARTS, late=st.timedeltas(timedelta(0), timedelta(2)))
def test_where_a_search_begins_does_not_matter(a_rhythm, after, late):
    found = first(5, a_rhythm, after)
    rest = first(5, a_rhythm, after + late)
    expected = [each for each in found if each > after + late]
    assert rest[: len(expected)] == expected


@given(text=st.text(max_size=60))
def test_no_text_is_more_than_a_sentence(text):
    for fields in ({"cron": text}, {"rule": text}, {"cron": "* * * * *", "zone": text}):
        kind = "cron" if "cron" in fields else "rule"
        with suppress(BadSchedule):
            check(Schedule(kind=kind, start_at=NOW, **fields), NOW)
