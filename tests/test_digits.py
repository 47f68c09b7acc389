"""Fewer digits of a probability are kept, and no decision hangs on those that are cut off."""

from hypothesis import example, given
from hypothesis import strategies as st

from model.digits import shortened

PROBABILITIES = st.floats(0, 1)
# What limits in the code look like, such as `reply_blocks.SURE_FROM` and the least probability of a route.
FIXED = st.integers(0, 10**5).map(lambda n: n / 10**5)


@given(probability=PROBABILITIES, threshold=PROBABILITIES)
@example(probability=0.123456789, threshold=0.12345678)
@example(probability=0.9999999, threshold=0.9999998)
def test_no_label_is_given_or_taken_by_it(probability: float, threshold: float) -> None:
    """Thresholds are chosen with all digits, and often between two that are close."""
    short = shortened(probability, threshold)
    assert (short >= threshold) == (probability >= threshold)
    assert 0 <= probability - short <= 1e-4 * probability


@given(probability=PROBABILITIES | FIXED, threshold=PROBABILITIES, fixed=FIXED)
@example(probability=0.7, threshold=0.1, fixed=0.7)  # as a float it is a little less than 0.7
@example(probability=0.7999999, threshold=0.1, fixed=0.8)
def test_nothing_reaches_a_fixed_limit_by_it(probability: float, threshold: float, fixed: float) -> None:
    """What is said to be sure, and what leads a message along a route, is decided later, by what was kept."""
    assert (shortened(probability, threshold) >= fixed) == (probability >= fixed)


@given(probability=st.floats(1e-4, 1))
def test_few_digits_are_left(probability: float) -> None:
    """They are the most of a prediction, which is the most of the database."""
    assert len(repr(shortened(probability, 0.0))) <= len("0.000012345")
