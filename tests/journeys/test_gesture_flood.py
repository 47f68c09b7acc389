"""A crowd corrects at once while Slack delivers as badly as it can: nothing is lost, and nothing is counted twice.

The events are signed and POSTed as Slack does, duplicated under new ids, dropped and sent again, and out of order. What the
store then holds is compared with a reference model that was written apart from the product's. BETO_FLOOD sets the number of
gestures (10000 for the long form; 500 here).
"""

import asyncio
import hashlib
import hmac
import json
import os
import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from model.labels import seed_taxonomy
from model.store.store import Store
from tests.rows import count as rows
from tests.town import Town, running_town

GESTURES = int(os.environ.get("BETO_FLOOD", "500"))
MESSAGES = max(25, GESTURES // 20)
PEOPLE = [f"U0FLOOD{n:02}" for n in range(20)]
CHANNEL, TEAM = "C0SIMUATENCION", "T0SIMULADOR"
LABELS = {label.emoji: label.name for label in seed_taxonomy()}
NAMES = list(LABELS.values())
ALL = [*LABELS, "white_check_mark", "x", "no_entry_sign", "pizza"]

Event = dict[str, Any]


def reference(events: list[Event], predicted: list[str], message_ts: str) -> dict[str, tuple[list[str], list[str]]]:
    """Label -> (who says yes, who says no), from the events of one message, each once. Written from the table of gestures."""
    stands: list[tuple[Any, dict[str, bool], bool]] = []  # ((person, item, emoji), what it says, whether by name), oldest first

    def votes() -> dict[str, dict[str, bool]]:
        tally: dict[str, dict[str, bool]] = {name: {} for name in NAMES}
        for (person, _, _), says, _ in stands:
            for name, yes in says.items():
                tally[name][person] = yes
        return tally

    for event in sorted(events, key=lambda each: float(each["event_ts"])):
        person, emoji = event["user"], event["reaction"]
        key = (person, event["item"]["ts"], emoji)
        stands = [each for each in stands if each[0] != key]
        if event["type"] == "reaction_removed" or emoji == "pizza":
            continue
        balance = {name: sum(1 if yes else -1 for yes in said.values()) for name, said in votes().items()}
        tied = [name for name, said in votes().items() if said and not balance[name]]
        shown = [name for name, said in votes().items() if balance[name] > 0 or (not said and name in predicted)]
        if emoji in LABELS:
            says = {LABELS[emoji]: True}
        elif emoji == "no_entry_sign":
            says = dict.fromkeys(NAMES, False)
        elif emoji == "white_check_mark":
            says = {name: name in shown for name in NAMES if name not in tied}
        else:
            mine = [next(iter(words)) for (who, _, _), words, named in stands if who == person and named]
            says = {name: False for name in shown if name not in mine}
        stands.append((key, says, emoji in LABELS))
    return {
        name: (sorted(who for who, yes in said.items() if yes), sorted(who for who, yes in said.items() if not yes))
        for name, said in votes().items()
    }


class BadSlack:
    """Sends events over signed HTTP, late, twice and again; an event that is not answered with 200 comes again."""

    def __init__(self, url: str, secret: str, chance: random.Random) -> None:
        self.url, self.secret, self.chance = url, secret, chance
        self.sent = self.duplicated = self.dropped = 0
        self._at_once = asyncio.Semaphore(20)

    async def deliver(self, session: aiohttp.ClientSession, event: Event) -> None:
        if self.chance.random() < 0.1:
            self.dropped += 1  # the first delivery never arrives; Slack's second comes later, after others
            await asyncio.sleep(self.chance.uniform(0.2, 2.0))
        times = 1 + (self.chance.random() < 0.15)
        self.duplicated += times - 1
        for _ in range(times):
            await self._post(session, event)

    async def _post(self, session: aiohttp.ClientSession, event: Event) -> None:
        body = json.dumps(
            {
                "type": "event_callback",
                "team_id": TEAM,
                "api_app_id": "A0SIMUBETO",
                "event_id": f"Ev{self.chance.getrandbits(60)}",
                "event_time": int(time.time()),
                "event": event,
                "authorizations": [{"team_id": TEAM, "user_id": "U0SIMUBETO", "is_bot": True}],
            }
        )
        while True:
            now = str(int(time.time()))
            signature = hmac.new(self.secret.encode(), f"v0:{now}:{body}".encode(), hashlib.sha256).hexdigest()
            headers = {
                "Content-Type": "application/json",
                "X-Slack-Request-Timestamp": now,
                "X-Slack-Signature": f"v0={signature}",
            }
            async with self._at_once, session.post(self.url, data=body, headers=headers) as answer:
                if answer.status == 200:
                    self.sent += 1
                    return
            await asyncio.sleep(0.2)


def shuffled_in_windows(events: list[Event], chance: random.Random, window: int = 40) -> list[Event]:
    """Out of order as networks do it: nothing overtakes more than a window's worth."""
    return [event for _, event in sorted(enumerate(events), key=lambda pair: pair[0] + chance.uniform(0, window))]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_crowds_gestures_come_out_as_the_table_says_and_each_is_kept_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, trained_version: Path
) -> None:
    """Twenty people, twenty gestures a message; the state equals the reference model's for every message."""
    url = f"sqlite:///{tmp_path / 'beto.db'}" if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with running_town(tmp_path / "home", url, trained_version, http=True) as town:
        await flood(town)


async def flood(town: Town) -> None:
    chance = random.Random(7)
    slack = BadSlack(
        f"http://127.0.0.1:{town.machine.environment['BETO_HTTP_PORT']}/slack/events", "simulator-signing-secret", chance
    )
    town.store.channels.set_mode(CHANNEL, "auto")
    town.store.channels.set_reactions(CHANNEL, "message")
    clock = int(time.time()) - 100_000
    # Guests do not count, and strangers to the simulator would be guests: these people are known.
    for person in PEOPLE:
        town.store.people.save(person, may_judge=True, expert=False)
    texts = [
        f"mensaje {n}: {chance.choice(['la app no abre', 'perdí la tarjeta', 'gracias', 'quiero un préstamo'])}"
        for n in range(MESSAGES)
    ]
    posts = [
        {"type": "message", "channel": CHANNEL, "channel_type": "channel", "user": chance.choice(PEOPLE), "text": text,
         "ts": f"{clock + n}.000100", "event_ts": f"{clock + n}.000100"}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    async with aiohttp.ClientSession(trust_env=False) as session:
        await asyncio.gather(*(slack.deliver(session, post) for post in shuffled_in_windows(posts, chance)))
        ids = {post["ts"]: town.store.messages.find(CHANNEL, post["ts"]).id for post in posts}
        await settled(town.store)
        replies = {ts: town.store.outbox.reply_ts(message_id) for ts, message_id in ids.items()}
        events = random_evening(posts, replies, chance)
        await asyncio.gather(*(slack.deliver(session, event) for event in shuffled_in_windows(events, chance)))
    by_message = defaultdict(list)
    for event in events:
        by_message[event["message"]].append(event)
    gestures = town.store.gestures
    meant, kept = Counter[Any](), Counter[Any]()
    for ts, message_id in ids.items():
        judged = town.store.judged.of(message_id, seed_taxonomy())
        expected = reference(by_message[ts], list(judged.prediction.labels), ts)
        assert {name: (list(label.yes), list(label.no)) for name, label in judged.state.labels.items()} == expected
        meant.update(
            (ts, event["item"]["ts"], event["user"], int(event["event_ts"].replace(".", "")), event["type"] == "reaction_removed")
            for event in by_message[ts]
            if event["reaction"] != "pizza"
        )
        kept.update(
            (
                ts,
                said.item_ts,
                said.gesture.user,
                said.gesture.at,
                said.gesture.withdrawn,
            )
            for said in gestures.history(message_id)
        )
    lost, twice = (meant - kept).total(), (kept - meant).total()
    print(f"\n{meant.total()} gestures on {len(ids)} messages: {slack.sent} deliveries, {slack.duplicated} of them duplicates,")
    print(f"{slack.dropped} lost on the way and sent again; kept {kept.total()}, lost {lost}, counted twice {twice}")
    assert (lost, twice) == (0, 0)
    assert rows(town.store, "gestures") == meant.total()  # none beside those of these messages either


def random_evening(posts: list[Event], replies: dict[str, str | None], chance: random.Random) -> list[Event]:
    """Taps and untaps such as Slack would allow: what is taken back was there, what is tapped was not."""
    there: set[tuple[str, str, str]] = set()
    events = []
    moment = int(time.time()) - 50_000
    for n in range(GESTURES):
        post = chance.choice(posts)["ts"]
        item = chance.choice([post, replies[post] or post])
        key = (chance.choice(PEOPLE), item, chance.choice(ALL))
        mine = [each for each in there if each[1] in (post, replies[post])]
        if mine and chance.random() < 0.25:
            key = chance.choice(sorted(mine))
        removed = key in there
        there ^= {key}
        person, item, emoji = key
        events.append(
            {
                "type": "reaction_removed" if removed else "reaction_added",
                "user": person,
                "reaction": emoji,
                "item": {"type": "message", "channel": CHANNEL, "ts": item},
                "event_ts": f"{moment + n}.000200",
                "message": post,  # for this test alone; Slack sends no such field
            }
        )
    return events


async def settled(store: Store, timeout_s: float = 240.0) -> None:
    deadline = time.monotonic() + timeout_s
    while (counts := store.messages.counts())["prediction"] or counts["reply"]:
        assert time.monotonic() < deadline, counts
        await asyncio.sleep(0.2)
