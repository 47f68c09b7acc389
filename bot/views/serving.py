"""Which version answers, in words: what was chosen and what the workers have loaded may differ. Pure, as `blocks` is."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from bot.views.blocks import moment
from bot.views.reply_blocks import signature
from bot.views.texts import Texts


class Served(NamedTuple):
    """A version that at least one worker has loaded."""

    base: str
    since: datetime
    corrections: int = 0  # that it has learnt beside what it was trained on


def lines(live: int, served: Mapping[int, Served], texts: Texts, *, is_refused: bool) -> list[str]:
    """Return who answers and since when, and why it is not the version `live`, where it is not.

    `served` has what is loaded, by number; `is_refused`: no worker can load `live`.
    """
    told = {
        number: texts(
            "command.status_serves", signature=signature(each.base, number, each.corrections, texts), since=moment(each.since)
        )
        for number, each in sorted(served.items())
    }  # fmt: skip
    others = ", ".join(str(number) for number in told if number != live)
    if live in told:
        return [told[live], *([texts("command.status_older_too", versions=others)] if others else [])]
    if is_refused:
        why = texts("command.status_refused" if told else "command.status_refused_first", live=live, versions=others)
    else:
        why = texts("command.status_loading" if told else "command.status_loading_first", live=live, versions=others)
    return [*told.values(), why]


def nobody(live: int, texts: Texts) -> list[str]:
    """Return that there is no worker, and which version was chosen."""
    return [texts("command.status_nobody", live=live)]
