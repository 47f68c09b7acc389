"""Whether this process still hears Slack.

A Socket Mode connection can be open, answer every ping, and bring no event for hours (bolt-python#1529, #417). slack_sdk's
`is_connected()` says yes to that: it knows whether the socket is open and its pings are answered. So three things are watched.

- **Each socket's frames**: the age of the last one of any kind (pong, hello, envelope). slack_sdk opens a new socket when pings
  stay unanswered; this tells when it fails to.
- **Each socket's share**: Slack sends each envelope through one of the app's sockets, by chance. One that brings nothing while
  the others bring UNEVEN envelopes is opened anew, which costs nothing; the process still hears through the others.
- **What Slack has and we never heard**: where all are silent, that is either a quiet day or deafness, and only Slack can tell
  which. So while nothing comes for SILENT_S, the newest messages of a watched channel are read, one call every ASK_EVERY_S. A
  message of a person that is there at two looks, and newer than all that was heard, should have been heard. Nothing is posted
  for it: an event of our own making would be a message or a reaction that people see, and auth.test says nothing of the socket.

A workspace without watched channels has only the first two: who gives a command there sees that nobody answers.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot import metrics
from bot.errors import refusal
from model.errors import StoreUnavailable
from model.store.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
# What slack_sdk's client is told; it opens a new socket after four that stay unanswered.
PING_EVERY_S = 10.0
# Six pings are unanswered by then.
SILENT_S = 60.0
# slack_sdk tries for ever, every PING_EVERY_S; a process that starts anew does no better while Slack is away.
DISCONNECTED_S = 300.0
# By chance alone, one of two sockets brings none of 20 envelopes once in a million times.
UNEVEN = 20
RENEW_AT_MOST_EVERY_S = 3600.0
ASK_EVERY_S = 30.0
ASK_WITHIN_S = 20.0
# Looked at in turn, the busiest lately first.
CHANNELS = 10
MESSAGES = 20
NOT_READABLE = {"channel_not_found", "not_in_channel", "missing_scope", "is_archived"}
# So unlikely must it be that other processes of the same app heard all that we did not.
BY_CHANCE = 0.001


@dataclass
class Ear:
    """One socket, and what it brought. Times are of the monotonic clock."""

    number: int
    client: SocketModeClient
    connected_at: float
    frame_at: float
    heard_at: float
    elsewhere: int = 0  # envelopes that other sockets brought since this one brought any
    renewals: int = 0  # since it brought any
    renewed_at: float = float("-inf")
    pong: float | None = None
    renewing: "asyncio.Task[None] | None" = None


class Missed:
    """Asks Slack for messages that this process should have heard."""

    def __init__(self, store: Store, slack: AsyncWebClient) -> None:
        self._store = store
        self._slack = slack
        self._turn = 0
        self._suspected: str | None = None  # a channel that had something unheard at the look before

    def forget(self) -> None:
        """Begin anew: something was heard."""
        self._suspected = None

    async def newest(self) -> float | None:
        """Return when the newest message that the watched channels have was posted, in Slack's time; None where there is none."""
        channels = await asyncio.to_thread(self._store.channels.watched, CHANNELS)
        pages = [await self._page(channel, "0", 1) for channel in channels]
        return max((float(message["ts"]) for page in pages for message in page), default=None)

    async def look(self, since: float, share: float) -> str | None:
        """Return what was not heard though it was posted after `since`, and something was at the look before too; else None.

        `share` is the share of the app's sockets that are ours: where others may have heard it, one message says nothing.
        """
        channels = await asyncio.to_thread(self._store.channels.watched, CHANNELS)
        if not channels:
            return None
        again = self._suspected in channels
        if not again:
            self._turn += 1
            self._suspected = channels[self._turn % len(channels)]
        channel = self._suspected or channels[0]
        page = await self._page(channel, f"{since:.6f}", MESSAGES)
        # What people wrote: of a bot's posts and of what Slack itself says, not everything is an event.
        found = sorted(each["ts"] for each in page if "subtype" not in each and "bot_id" not in each)
        if not found:
            self._suspected = None
            return None
        if share >= 1 and await asyncio.to_thread(self._store.messages.find, channel, found[0]) is not None:
            share = 0.5  # another process saved it, which came after our sockets had counted the app's
        if not again or (1 - share) ** len(found) > BY_CHANCE:
            return None
        return f"{len(found)} messages in {channel} were not heard, the first posted at {found[0]}"

    async def _page(self, channel: str, oldest: str, limit: int) -> list[dict[str, Any]]:
        """Return what was posted in the channel after `oldest`; [] where we may not read it."""
        try:
            answer = await self._slack.conversations_history(channel=channel, oldest=oldest, limit=limit)
        except SlackApiError as error:
            if refusal(error) in NOT_READABLE:
                return []
            raise
        return list(answer.get("messages", []))


class Hearing:
    """Watches the sockets of this process; `watch` runs on their event loop, the reasons are asked for from other threads.

    Without sockets (signed HTTP) it watches the event loop alone.
    """

    def __init__(
        self, clients: Sequence[SocketModeClient], missed: Missed | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._missed = missed
        moment = clock()
        self.ears = [Ear(number, client, moment, moment, moment) for number, client in enumerate(clients, start=1)]
        self._beat_at = moment
        self._asked_at = moment
        self._heard_at = moment  # an envelope, by any socket
        self._heard_until: float | None = None  # in Slack's time: what was posted before was heard, or is nobody's concern
        self._ahead_s: float | None = None  # Slack's clock, of ours
        self._connections = len(self.ears)  # of the whole app, as the newest hello counted them
        self._unheard: str | None = None
        for ear in self.ears:
            ear.client.on_message_listeners.append(self._frame_of(ear))
            ear.client.message_listeners.append(self._message_of(ear))

    def why_not_ready(self) -> str | None:
        """Return what is wrong now; None where this process hears Slack, as far as can be known."""
        for ear in self.ears:
            if not _is_open(ear):
                return f"Slack: socket {ear.number} of {len(self.ears)} is not connected"
        for ear in self.ears:
            if ear.elsewhere >= UNEVEN and self._clock() - ear.heard_at >= SILENT_S:
                return f"Slack: socket {ear.number} of {len(self.ears)} brings nothing, while {ear.elsewhere} came by the others"
        return self.why_stuck()

    def why_stuck(self) -> str | None:
        """Return why the process should be started again; None where it need not, or where it mends itself."""
        moment = self._clock()
        if (stood_s := moment - self._beat_at) >= SILENT_S:
            return f"the event loop, which has stood still for {stood_s:.0f} s"
        for ear in self.ears:
            which = f"Slack: socket {ear.number} of {len(self.ears)}"
            if (away_s := moment - ear.connected_at) >= DISCONNECTED_S:
                return f"{which} has not been connected for {away_s:.0f} s"
            if _is_open(ear) and (silent_s := moment - ear.frame_at) >= SILENT_S:
                return f"{which} is open, and has brought no frame for {silent_s:.0f} s, not even a pong"
        return None if self._unheard is None else f"Slack: {self._unheard}"

    def measure(self) -> None:
        """Show Prometheus what is watched, as it is whenever it asks."""
        for ear in self.ears:
            self._measure(ear)
        metrics.UNHEARD.set_function(lambda: self._unheard is not None)

    async def watch(self) -> None:
        """Look every LOOK_EVERY_S until cancelled."""
        # Beside each other, so that an answer that takes long is not taken for an event loop that stands still.
        await asyncio.gather(*(_repeat(look) for look in (self.beat, self.look_at_sockets, self.ask_slack)))

    async def beat(self) -> None:
        """Note that the event loop runs."""
        self._beat_at = self._clock()

    async def look_at_sockets(self) -> None:
        """Note what each socket is, and open anew the one that is deaf while the others hear."""
        moment = self._clock()
        for ear in self.ears:
            if await ear.client.is_connected():
                ear.connected_at = moment
            if ear.client.last_ping_pong_time != ear.pong:
                ear.pong, ear.frame_at = ear.client.last_ping_pong_time, moment
            pause_s = min(SILENT_S * 2.0**ear.renewals, RENEW_AT_MOST_EVERY_S)
            if ear.elsewhere >= UNEVEN and moment - ear.heard_at >= SILENT_S and moment - ear.renewed_at >= pause_s:
                log.warning("socket %d brought nothing while %d came by the others: opening it anew", ear.number, ear.elsewhere)
                ear.renewals += 1
                ear.renewed_at = moment
                ear.renewing = asyncio.create_task(self._renew(ear))

    async def ask_slack(self) -> None:
        """Ask for what was missed, where all sockets are silent."""
        moment = self._clock()
        if self._missed is None or not self.ears:
            return
        if self._heard_until is None:
            self._heard_until = await asyncio.wait_for(self._missed.newest(), ASK_WITHIN_S)
            return
        if moment - self._heard_at < SILENT_S or moment - self._asked_at < ASK_EVERY_S:
            return
        self._asked_at = moment
        share = min(len(self.ears) / max(self._connections, 1), 1.0)
        unheard = await asyncio.wait_for(self._missed.look(self._heard_until, share), ASK_WITHIN_S)
        if self._heard_at < moment:
            self._unheard = unheard
        else:
            self._missed.forget()  # something came meanwhile

    def _measure(self, ear: Ear) -> None:
        socket = str(ear.number)
        metrics.SOCKET_SILENCE_SECONDS.labels(socket).set_function(lambda: self._clock() - ear.frame_at)
        metrics.SOCKET_ELSEWHERE.labels(socket).set_function(lambda: ear.elsewhere)
        metrics.SOCKET_CONNECTED.labels(socket).set_function(lambda: _is_open(ear))

    async def _renew(self, ear: Ear) -> None:
        try:
            # Ours to say, since the client takes the socket for a good one; its lock keeps it from doing so at the same time.
            await ear.client.connect_to_new_endpoint(force=True)
        except Exception as error:  # the client's own monitor goes on trying
            log.warning("socket %d could not be opened anew: %r", ear.number, error)
            return
        ear.elsewhere, ear.heard_at = 0, self._clock()

    def _frame_of(self, ear: Ear) -> Callable[[aiohttp.WSMessage], Awaitable[None]]:
        async def note(_: aiohttp.WSMessage) -> None:
            ear.frame_at = self._clock()

        return note

    def _message_of(self, ear: Ear) -> Callable[..., Awaitable[None]]:
        async def note(_: SocketModeClient, message: dict[str, Any], __: str | None = None) -> None:
            if message.get("type") == "hello":
                self._connections = int(message.get("num_connections") or len(self.ears))
            elif "envelope_id" in message:
                self._heard(ear, message)

        return note

    def _heard(self, ear: Ear, envelope: dict[str, Any]) -> None:
        self._heard_at = ear.heard_at = self._clock()
        ear.elsewhere = ear.renewals = 0
        for other in self.ears:
            other.elsewhere += other is not ear
        payload = envelope.get("payload") or {}
        event = payload.get("event") if isinstance(payload, dict) else None
        if isinstance(event, dict) and not envelope.get("retry_attempt"):
            with suppress(KeyError, TypeError, ValueError):  # not all events tell when they happened
                self._ahead_s = float(event.get("event_ts") or event["ts"]) - time.time()
        if self._ahead_s is not None:
            self._heard_until = max(self._heard_until or 0.0, time.time() + self._ahead_s)
        self._unheard = None
        if self._missed is not None:
            self._missed.forget()


def _is_open(ear: Ear) -> bool:
    session = ear.client.current_session
    return session is not None and not session.closed


async def _repeat(look: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await look()
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError, StoreUnavailable) as error:
            log.info("cannot see whether Slack is heard: %r", error)
        except Exception:  # it must live to look again
            log.exception("cannot see whether Slack is heard")
        await asyncio.sleep(LOOK_EVERY_S)
