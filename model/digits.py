"""How many digits of a probability are kept."""

import decimal

# Enough to tell any two that people could; seventeen take two and a half times the room.
DIGITS = 5
_CUT = decimal.Context(prec=DIGITS, rounding=decimal.ROUND_DOWN)


def shortened(probability: float, threshold: float) -> float:
    """Return the probability with DIGITS significant digits, cut off, where that leaves it on its side of `threshold`.

    Else it is returned as it is. Whatever has as few digits itself, as every fixed limit in the code has, is reached by what is
    returned if and only if it was reached before: what is cut off never carries over one.
    """
    # By its shortest decimal form: 0.7 itself is a little less than 0.7, and would become 0.69999.
    short = float(_CUT.create_decimal(repr(probability)))
    return short if (short >= threshold) == (probability >= threshold) else probability
