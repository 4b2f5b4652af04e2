"""How much one user may ask for at once, by a clock that the test moves; the model is a bucket that fills again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmpool_ext.hub_service.flood import Allowance
from vmpool_ext.web.errors import TooManyActs

AT_ONCE, PER_SECOND = 5, 2.0


class Bucket:
    """Holds so much, and fills again."""

    def __init__(self):
        self.level = AT_ONCE

    def fill(self, seconds):
        self.level = min(AT_ONCE, self.level + seconds * PER_SECOND)

    def take(self):
        if self.level < 1:
            return False
        self.level -= 1
        return True


def is_allowed(allowance, user):
    try:
        allowance.spend(user)
    except TooManyActs:
        return False
    return True


# Halves of a second make whole acts: what lies between is the rounding's.
@given(st.lists(st.one_of(st.sampled_from(["ann", "bob"]), st.sampled_from([0.5, 1, 2, 60]))))
def test_each_has_a_bucket_of_their_own_that_fills_again(steps):
    now, buckets = 0.0, {"ann": Bucket(), "bob": Bucket()}
    allowance = Allowance(AT_ONCE, PER_SECOND, lambda: now)
    for step in steps:
        if step in buckets:
            assert is_allowed(allowance, step) == buckets[step].take()
        else:
            now += step
            for bucket in buckets.values():
                bucket.fill(step)


def test_what_was_refused_is_not_counted():
    allowance = Allowance(1, 1, lambda: 0)
    allowance.spend("ann")

    for _ in range(3):
        with pytest.raises(TooManyActs):
            allowance.spend("ann")

    allowance.spend("bob")
