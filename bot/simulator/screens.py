"""Live updates for people: one websocket for each open page."""

import asyncio
import json

from aiohttp import WSCloseCode, web

from bot.simulator.channel import Channel
from bot.simulator.errors import Json
from bot.simulator.wire import Transfer, Wire
from bot.simulator.workspace import Change, User, Workspace

_BACKLOG = 10_000  # frames; a page that is further behind is disconnected and loads again

_Screen = tuple[web.WebSocketResponse, "asyncio.Queue[str | None]"]


class Screens:
    """All open pages. Each change is sent to the people who may see it."""

    def __init__(self, workspace: Workspace, wire: Wire) -> None:
        self.workspace = workspace
        self._wire = wire
        self._screens: dict[str, list[_Screen]] = {}
        self._listening: list[_Screen] = []
        workspace.watchers.append(self._show)

    async def serve(self, request: web.Request, me: User, first: list[Json]) -> web.StreamResponse:
        """Serve one person's page until it closes; `first` holds the frames to send at once."""
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        frames: asyncio.Queue[str | None] = asyncio.Queue(maxsize=_BACKLOG)
        screen = (socket, frames)
        self._screens.setdefault(me.id, []).append(screen)
        for frame in first:
            frames.put_nowait(json.dumps(frame))
        writer = asyncio.create_task(_write(socket, frames))
        try:
            # People act through POST; the only frames that come here switch the log of the wire on and off.
            async for heard in socket:
                self._listen(screen, on=heard.data == '{"wire":true}')
        finally:
            self._listen(screen, on=False)
            self._screens[me.id].remove(screen)
            writer.cancel()
        return socket

    async def stop(self) -> None:
        """Close all pages."""
        for socket, _ in [screen for screens in self._screens.values() for screen in screens]:
            await socket.close(code=WSCloseCode.GOING_AWAY)

    def tell(self, user_id: str, frame: Json) -> None:
        """Send a frame to all of that person's pages."""
        screens = self._screens.get(user_id)
        if screens:
            self._send(screens, json.dumps(frame))

    def renew(self, channel: Channel) -> None:
        """Have the pages of whoever sees this channel ask for its state anew."""
        for user_id in list(self._screens):
            if self.workspace.can_see(self.workspace.users[user_id], channel):
                self.tell(user_id, {"type": "state"})

    def _listen(self, screen: _Screen, *, on: bool) -> None:
        """Start or stop sending the page what travels between Slack and the app; costs nothing while no page asks."""
        if screen in self._listening:
            self._listening.remove(screen)
        if on:
            self._listening.append(screen)
            self._send([screen], json.dumps({"type": "wire", "transfers": [one.as_json() for one in self._wire]}))
        watching = self._show_transfer in self._wire.watchers
        if self._listening and not watching:
            self._wire.watchers.append(self._show_transfer)
        elif watching and not self._listening:
            self._wire.watchers.remove(self._show_transfer)

    def _show_transfer(self, transfer: Transfer) -> None:
        self._send(self._listening, json.dumps({"type": "wire", "transfers": [transfer.as_json()]}))

    def _show(self, change: Change) -> None:
        if change.kind in ("joined", "left", "archived", "unarchived", "renamed", "reidentified"):
            text = json.dumps({"type": "state"})
            for screens in self._screens.values():
                self._send(screens, text)
            return
        channel, message = change.channel, change.message
        if change.kind in ("deleted", "ephemeral_deleted"):
            frame: Json = {"type": "message_deleted", "channel": channel.id, "ts": message["ts"]}
            frame |= {"thread_ts": message["thread_ts"]} if "thread_ts" in message else {}
        else:
            kind = "message" if change.kind in ("posted", "ephemeral") else "message_changed"
            frame = {"type": kind, "channel": channel.id, "message": message}
        if change.kind.startswith("ephemeral"):
            self.tell(change.user, frame)
            return
        text = ""
        for user_id, screens in self._screens.items():
            if screens and self.workspace.can_see(self.workspace.users[user_id], channel):
                text = text or json.dumps(frame)
                self._send(screens, text)

    def _send(self, screens: list[_Screen], text: str) -> None:
        for _, frames in screens:
            if frames.qsize() < _BACKLOG - 1:
                frames.put_nowait(text)
            elif not frames.full():
                frames.put_nowait(None)  # the writer closes the socket; the page reconnects and loads the state again


async def _write(socket: web.WebSocketResponse, frames: "asyncio.Queue[str | None]") -> None:
    try:
        while (frame := await frames.get()) is not None:
            await socket.send_str(frame)
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
    except ConnectionError:
        return
