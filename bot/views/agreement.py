"""How far people agree, in words. Pure, as `blocks` is."""

from bot.views.blocks import escape
from bot.views.label_names import label_title
from bot.views.texts import Texts
from model.agreement import ENOUGH, Agreement, Alpha
from model.labels import Taxonomy

# From here on people may be relied on, and from here on hardly: Krippendorff, Content Analysis (2019), chapter 12.
RELIABLE_FROM, TENTATIVE_FROM = 0.8, 0.667
MOST_LABELS, MOST_PAIRS = 30, 20


def in_words(found: Agreement, taxonomy: Taxonomy, texts: Texts) -> str:
    """Return the agreement by label and by pair of people, the lowest first; that there is none to tell, where that is so."""
    labels = [(name, each) for name, each in found.labels.items() if name in taxonomy and each.units >= ENOUGH]
    if not labels:
        return texts("agreement.none", enough=ENOUGH)
    lines = [texts("agreement.title")]
    lines += [
        f"• {escape(label_title(name, taxonomy, texts))}: "
        + texts.counted("agreement.label", each.units, value=value(each, texts))
        for name, each in sorted(labels, key=lambda each: _order(each[1]))[:MOST_LABELS]
    ]
    if found.pairs:
        lines += ["", texts("agreement.pairs")]
        lines += [
            texts("agreement.pair", one=f"<@{one}>", other=f"<@{other}>", value=value(each, texts), units=each.units)
            for (one, other), each in sorted(found.pairs.items(), key=lambda each: _order(each[1]))[:MOST_PAIRS]
        ]
    return "\n".join([*lines, "", texts("agreement.how")])


def value(found: Alpha, texts: Texts) -> str:
    """Return an alpha with what it means, as `0,71 (regular)`."""
    if found.value is None:
        return texts("agreement.all_the_same")
    level = "good" if found.value >= RELIABLE_FROM else "fair" if found.value >= TENTATIVE_FROM else "low"
    number = f"{found.value:.2f}".replace("-0.00", "0.00")
    return texts(f"agreement.{level}", number=number.replace(".", ",") if texts.language == "es" else number)


def _order(found: Alpha) -> tuple[bool, float]:
    return found.value is None, found.value or 0.0
