"""How long an assignment is kept after the last use (R8).

The texts are those that the VmPool CRD's pattern accepts: an ISO 8601 duration whose time designators may be
lower case (the CRD's own default is ``PT1h``), or an absolute time with seconds and an offset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import DecimalException
from typing import TYPE_CHECKING, Protocol

import isodate

from vmpool_ext.domain.errors import InvalidRetention

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_RETENTION = "PT1h"
END_OF_TIME = datetime.max.replace(tzinfo=UTC)

# A period must end within the calendar when it begins here; later beginnings are cut at the end of time.
_REFERENCE = datetime(2000, 1, 1, tzinfo=UTC)

_DURATION = re.compile(
    r"P(?=[0-9T])(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+W)?(?:[0-9]+D)?"
    r"(?:T(?=[0-9])(?:[0-9]+[Hh])?(?:[0-9]+[Mm])?(?:[0-9]+(?:\.[0-9]+)?[Ss])?)?"
)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"
)
_ITS_DURATION = re.compile(r"P(?:[0-9]+D)?(?:T(?:[0-9]+[Hh])?(?:[0-9]+[Mm])?(?:[0-9]+(?:\.[0-9]{1,9})?[Ss])?)?")
_ITS_TIME = re.compile(r".*(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9]|[+-]18:00)")
_NOT_FOR_VM_OPERATOR = 'VM-Operator itself cannot read the retention "{:.64}". Use {}.'


class Retention(Protocol):
    """Tells until when a VM is kept for its user."""

    def until(self, last_used: datetime) -> datetime:
        """Give the moment from which on the VM may be given to another; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class RetainFor:
    """So long after the last use; years and months go by the calendar."""

    period: isodate.Duration | timedelta

    def until(self, last_used: datetime) -> datetime:
        """Count from the last use; what would end after the calendar does never ends."""
        return after(last_used, self.period)


@dataclass(frozen=True, slots=True)
class RetainUntil:
    """Up to a fixed time, however recently the VM was used."""

    end: datetime

    def until(self, last_used: datetime) -> datetime:  # noqa: ARG002  # absolute times are absolute
        """Give the fixed time."""
        return self.end


@dataclass(frozen=True, slots=True)
class RetainForever:
    """What was assigned stays so: for pools whose own retention cannot be read."""

    def until(self, last_used: datetime) -> datetime:  # noqa: ARG002  # whatever was used when
        """Give a time that does not come."""
        return END_OF_TIME


def after(moment: datetime, period: isodate.Duration | timedelta) -> datetime:
    """Tell the time so much later; what would be after the calendar's end never comes."""
    try:
        return moment + period
    except (ValueError, OverflowError):
        return END_OF_TIME


def parse_retention(text: str) -> Retention:
    """Read the retention of a pool, or raise `InvalidRetention`.

    >>> parse_retention("PT1h").until(datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
    '2026-01-01T01:00:00+00:00'
    >>> parse_retention("P1M").until(datetime(2026, 1, 31, tzinfo=UTC)).isoformat()
    '2026-02-28T00:00:00+00:00'
    >>> parse_retention("2026-01-01T12:00:00.123456789+0100").until(datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
    '2026-01-01T11:00:00.123456+00:00'
    >>> parse_retention("P")
    Traceback (most recent call last):
    vmpool_ext.domain.errors.InvalidRetention: The retention "P" is neither a duration such as PT4h nor a time.
    """
    for pattern, parse in _FORMS:
        if pattern.fullmatch(text):
            return _parsed(text, parse)
    raise InvalidRetention(text)


def _parsed(text: str, parse: Callable[[str], Retention]) -> Retention:
    try:
        return parse(text)
    # Too many digits, 30 February, a period or an offset that leaves the calendar: each has its own exception.
    except (ValueError, OverflowError, DecimalException) as error:
        raise InvalidRetention(text) from error


def _parse_duration(text: str) -> Retention:
    # The CRD allows a lower-case "h", and defaults to it; ISO 8601 does not.
    period = isodate.parse_duration(text.upper())
    _REFERENCE + period
    return RetainFor(period)


def _parse_time(text: str) -> Retention:
    return RetainUntil(datetime.fromisoformat(text).astimezone(UTC))


def why_not_for_vm_operator(text: str) -> str | None:
    """Tell what in a retention that we can serve makes VM-Operator's own assignments fail, or None.

    It reads days, hours, minutes and seconds, and offsets that are `Z` or with a colon, up to 18 hours.

    >>> why_not_for_vm_operator("PT1h") is why_not_for_vm_operator("2026-01-01T00:00:00+01:00") is None
    True
    >>> why_not_for_vm_operator("P1W")
    'VM-Operator itself cannot read the retention "P1W". Use days, hours, minutes and seconds, such as P7D.'
    """
    if _DURATION.fullmatch(text):
        readable = _ITS_DURATION.fullmatch(text)
        return None if readable else _NOT_FOR_VM_OPERATOR.format(text, "days, hours, minutes and seconds, such as P7D")
    readable = _ITS_TIME.fullmatch(text)
    return None if readable else _NOT_FOR_VM_OPERATOR.format(text, "an offset such as Z or +01:00")


_FORMS = ((_DURATION, _parse_duration), (_TIME, _parse_time))
