"""How long an assignment is kept (R8, P1, P2). Not here: whose retention counts, see test_assignment.py."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from tests.strategies import retention_texts
from vmpool_ext.domain.errors import InvalidRetention
from vmpool_ext.domain.retention import END_OF_TIME, RetainForever, parse_retention, why_not_for_vm_operator

moments = st.datetimes(timezones=st.just(UTC))


@given(retention_texts, moments)
def test_every_text_of_the_pattern_is_read_or_refused_and_never_fails_later(text, used):
    try:
        retention = parse_retention(text)
    except InvalidRetention as error:
        assert text[:64] in str(error)  # noqa: PT017  # a refusal is allowed, not demanded
    else:
        assert retention.until(used).tzinfo is UTC


@given(retention_texts, moments, moments)
def test_a_later_use_never_shortens_retention(text, one, other):
    try:
        retention = parse_retention(text)
    except InvalidRetention:
        return
    earlier, later = sorted((one, other))
    assert retention.until(earlier) <= retention.until(later)


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("PT1h", timedelta(hours=1)),
        ("PT4H", timedelta(hours=4)),
        ("PT1H30m", timedelta(minutes=90)),
        ("PT0.5s", timedelta(seconds=0.5)),
        ("PT0S", timedelta(0)),
        ("P1D", timedelta(days=1)),
        ("P1W", timedelta(weeks=1)),
        ("P1M", timedelta(days=31)),
        ("P1Y", timedelta(days=365)),
        ("P1Y2M3W4DT5h", timedelta(days=365 + 59 + 21 + 4, hours=5)),
    ],
)
def test_a_duration_counts_from_the_last_use(text, period):
    """Months and years as the calendar has them after 15 January 2026."""
    assert parse_retention(text).until(NOON) == NOON + period


@pytest.mark.parametrize(
    ("used", "until"),
    [(datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
     (datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC))],
)  # fmt: skip
def test_a_month_after_the_31st_ends_with_the_shorter_month(used, until):
    assert parse_retention("P1M").until(used) == until


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00+01", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("2026-03-01T00:00:00+0100", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("2026-03-01T00:00:00-01:30", datetime(2026, 3, 1, 1, 30, tzinfo=UTC)),
        ("2026-03-01T00:00:00+19:00", datetime(2026, 2, 28, 5, tzinfo=UTC)),
        ("2026-03-01T00:00:00.123456789Z", datetime(2026, 3, 1, 0, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_an_absolute_time_holds_however_recently_the_vm_was_used(text, until):
    retention = parse_retention(text)

    assert retention.until(NOON) == retention.until(NOON + timedelta(days=9999)) == until


@pytest.mark.parametrize(
    "text",
    [
        "P", "PT", "P1DT", "", "1h", "p1d", "P1d", "PT1,5S", "-P1D", "PT-1H", " PT1h", "PT1h\n",
        "2024-02-30T00:00:00Z", "2026-01-01T00:00Z", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z",
        "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:99", "0001-01-01T00:00:00+19:00",
        "P10000Y", "P" + "9" * 30 + "M", "P" + "9" * 5000 + "D", "PT" + "9" * 400 + "S",
    ],
)  # fmt: skip
def test_what_is_no_period_and_no_time_is_refused_by_our_own_error(text):
    with pytest.raises(InvalidRetention):
        parse_retention(text)


def test_a_period_that_leaves_the_calendar_never_ends():
    used = datetime(9990, 1, 1, tzinfo=UTC)

    assert parse_retention("P100Y").until(used) == END_OF_TIME
    assert parse_retention("P99999D").until(used) == END_OF_TIME


def test_for_ever_is_for_ever():
    assert RetainForever().until(NOON) == END_OF_TIME


def _java_reads_duration(text):
    """Duration.parse as its documentation has it: PnDTnHnMn.nS, letters of any case; a point has up to nine digits."""
    days, t, time = text.upper().removeprefix("P").partition("T")
    if not text.upper().startswith("P") or (t and not time) or not (days or time):
        return False
    numbers, letters = _numbers_and_letters(time)
    in_order = [letter for letter in "HMS" if letter in letters] == letters
    whole = all(
        number.isdigit() or (letter == "S" and _is_decimal(number))
        for number, letter in zip(numbers, letters, strict=True)
    )
    return in_order and whole and (not days or (days[-1] == "D" and days[:-1].isdigit()))


def _numbers_and_letters(time):
    numbers, letters, number = [], [], ""
    for each in time:
        if each.isalpha():
            numbers, letters, number = [*numbers, number], [*letters, each], ""
        else:
            number += each
    return numbers, letters if not number else [*letters, "?"]


def _is_decimal(number):
    whole, _, part = number.partition(".")
    return whole.isdigit() and part.isdigit() and len(part) <= 9


def _java_reads_offset(text):
    """The offset of Instant's parser: Z, or hours and minutes with a colon, up to eighteen hours."""
    if text.endswith("Z"):
        return True
    offset = text[-6:]
    if offset[0] not in "+-" or offset[3] != ":":
        return False
    hours, minutes = int(offset[1:3]), int(offset[4:])
    return minutes < 60 and (hours < 18 or (hours, minutes) == (18, 0))


@given(retention_texts)
def test_what_vm_operator_itself_cannot_read_is_warned_of(text):
    try:
        parse_retention(text)
    except InvalidRetention:
        return
    readable = _java_reads_duration(text) if text.startswith("P") else _java_reads_offset(text)

    assert (why_not_for_vm_operator(text) is None) == readable
