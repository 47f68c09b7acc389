"""How a channel shows labels: where, how long after the message, and at which hours nothing is posted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from model.errors import BadData

# In each message's thread, by emoji on the message itself, or nowhere.
Display = Literal["thread", "emoji", "quiet"]
DISPLAYS: tuple[Display, ...] = ("thread", "emoji", "quiet")
MOST_DELAY_MINUTES = 120
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True)
class Rest:
    """The hours of each day, from `begins` to before `ends` (`HH:MM`), in which nothing is posted; in this time zone."""

    begins: str
    ends: str
    zone: str

    def wait_s(self, moment: datetime) -> float:
        """Return the seconds from `moment` (with a time zone) until the rest ends; 0 where there is none at that moment."""
        zone = ZoneInfo(self.zone)
        here = moment.astimezone(zone)
        begins, ends = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
        at = here.time().replace(tzinfo=None)
        rests = begins <= at < ends if begins < ends else at >= begins or at < ends
        if not rests:
            return 0.0
        day = here.date() if at < ends else here.date() + timedelta(days=1)
        # By the clock on the wall: a night in which it is changed is an hour longer or shorter.
        return (datetime.combine(day, ends, tzinfo=zone).astimezone(moment.tzinfo) - moment).total_seconds()


@dataclass(frozen=True)
class Showing:
    """What a channel chose; `offers`: the likely labels' emoji are put on messages beside the reply, so that people tap one."""

    display: Display = "thread"
    delay_minutes: int = 0
    rest: Rest | None = None
    offers: bool = False

    def wait_s(self, received_at: datetime, moment: datetime, *, acted: bool) -> float:
        """Return the seconds from `moment` until something may be shown of a message that came at `received_at`.

        `acted`: somebody has said what its labels are, so that nobody is waited for.
        """
        rest_s = self.rest.wait_s(moment) if self.rest is not None else 0.0
        left = timedelta(minutes=0 if acted else self.delay_minutes) - (moment - received_at)
        return max(rest_s, left.total_seconds(), 0.0)


# Where nobody chose.
NOT_CHOSEN = Showing()


def read_rest(begins: str, ends: str, zone: str) -> Rest | None:
    """Return the rest that a person described; None where they left both hours out.

    BadData names what cannot be: `hours` (one is missing, is no hour, or both are the same) or `zone` (nobody knows it).
    """
    if not begins and not ends:
        return None
    if not (_HOUR.fullmatch(begins) and _HOUR.fullmatch(ends)) or begins == ends:
        raise BadData("hours")
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError) as error:
        raise BadData("zone") from error
    return Rest(begins, ends, zone)


def rest_of(stored: Mapping[str, Any] | None) -> Rest | None:
    """Return the rest as it is kept."""
    return None if stored is None else Rest(str(stored["begins"]), str(stored["ends"]), str(stored["zone"]))
