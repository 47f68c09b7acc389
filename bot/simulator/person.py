"""A person in the simulated workspace, for the demo, tests and benchmarks."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import aiohttp

from bot.simulator.errors import Json, SlackError


class Changes:
    """The changes that one person sees, from the creation of this object on. Iterate over it; close it when done."""

    def __init__(self, person: "Person") -> None:
        self._person = person
        self._queue: asyncio.Queue[Json | None] = asyncio.Queue()
        person.listeners.append(self._queue)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Json:
        change = await self._queue.get()
        if change is None:
            raise StopAsyncIteration
        return change

    def close(self) -> None:
        """Stop collecting changes."""
        if self._queue in self._person.listeners:
            self._person.listeners.remove(self._queue)


class Person:
    """Acts as `user` (an id or a name) through the simulator's person API.

    Use it with `async with`. Channels may be given by id or by name. A refusal raises SlackError; its `details` hold the
    sentence that a person would read.
    """

    def __init__(self, url: str, user: str) -> None:
        self.user = user
        self.listeners: list[asyncio.Queue[Json | None]] = []
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[str, list[asyncio.Future[Json]]] = {}  # by the ts of the thread's parent

    async def __aenter__(self) -> Self:
        # Proxies of the environment must not be used for loopback.
        self._session = aiohttp.ClientSession(trust_env=False)
        try:
            self._socket = await self._session.ws_connect(
                f"{self._url}/person/socket", params={"user": self.user}, max_msg_size=0
            )
        except BaseException:
            await self._session.close()
            raise
        self._reader = asyncio.create_task(self._read(self._socket))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._session is not None
        assert self._socket is not None
        assert self._reader is not None
        await self._socket.close()
        await self._reader
        await self._session.close()

    # --- looking ---

    async def state(self) -> Json:
        """Return the team, the people, the channels, the commands and the shortcuts that this person sees."""
        return await self._get("state")

    async def messages(self, channel: str, thread_ts: str | None = None) -> list[Json]:
        """Return a channel's messages, or a thread's with its parent, oldest first."""
        query = {"channel": channel} | ({"thread_ts": thread_ts} if thread_ts else {})
        found: list[Json] = (await self._get("messages", **query))["messages"]
        return found

    def changes(self) -> Changes:
        """Collect the changes that this person sees from now on."""
        return Changes(self)

    async def wait_for_reply(self, channel: str, ts: str, timeout_s: float = 10.0) -> Json:
        """Wait for the bot's first message in the thread of `ts` and return it; raises TimeoutError when none comes in time."""
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(ts, []).append(future)
        try:
            async with asyncio.timeout(timeout_s):
                for message in await self.messages(channel, ts):
                    if _is_reply(message):
                        return message
                return await future
        finally:
            waiting = self._waiting[ts]
            waiting.remove(future)
            if not waiting:
                del self._waiting[ts]

    # --- acting ---

    async def message(self, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Write a message and return its ts ("" for a text that was a command)."""
        return str((await self._post("message", channel=channel, text=text, thread_ts=thread_ts)).get("ts", ""))

    async def edit(self, channel: str, ts: str, text: str) -> None:
        """Edit one of this person's messages."""
        await self._post("edit", channel=channel, ts=ts, text=text)

    async def delete(self, channel: str, ts: str) -> None:
        """Delete one of this person's messages."""
        await self._post("delete", channel=channel, ts=ts)

    async def react(self, channel: str, ts: str, name: str) -> None:
        """Add a reaction to a message."""
        await self._post("react", channel=channel, ts=ts, name=name)

    async def unreact(self, channel: str, ts: str, name: str) -> None:
        """Remove this person's reaction from a message."""
        await self._post("unreact", channel=channel, ts=ts, name=name)

    async def command(self, channel: str, command: str, text: str = "") -> bool:
        """Run a slash command; return whether the app acknowledged in time."""
        return await self._interact("command", channel=channel, command=command, text=text)

    async def action(
        self,
        action_id: str,
        *,
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
        **chosen: Any,
    ) -> bool:
        """Press a button, or choose in a menu (`selected_option=...`), of a message or of a view."""
        where = {"channel": channel, "ts": ts, "view_id": view_id, "block_id": block_id}
        return await self._interact("action", action_id=action_id, **where, **chosen)

    async def suggest(
        self,
        action_id: str,
        typed: str,
        *,
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
    ) -> list[Json]:
        """Type in a menu with an external source, and return the options that the app offers (none where it did not answer)."""
        where = {"channel": channel, "ts": ts, "view_id": view_id, "block_id": block_id}
        found: list[Json] = (await self._post("suggest", action_id=action_id, typed=typed, **where))["options"]
        return found

    async def shortcut(self, channel: str, ts: str, callback_id: str, app: str | None = None) -> bool:
        """Choose a message shortcut; `app` is the app's id, for when two apps have the same callback_id."""
        return await self._interact("shortcut", channel=channel, ts=ts, callback_id=callback_id, app=app)

    async def view_submit(self, view_id: str, values: Json | None = None) -> bool:
        """Submit a modal: `values` is {block_id: {action_id: {...}}} for the fields that were changed."""
        return await self._interact("view_submit", view_id=view_id, values=values or {})

    async def view_close(self, view_id: str) -> bool:
        """Close a modal."""
        return await self._interact("view_close", view_id=view_id)

    async def open_dm(self, other: str) -> str:
        """Open the direct messages with `other` and return their channel's id."""
        return str((await self._post("open_dm", other=other))["channel"])

    async def open_group_dm(self, *others: str) -> str:
        """Open the direct messages with all of them, apps' bots too, and return their channel's id."""
        return str((await self._post("open_group_dm", others=list(others)))["channel"])

    async def invite(self, channel: str, member: str) -> None:
        """Add a member to the channel."""
        await self._post("invite", channel=channel, member=member)

    async def kick(self, channel: str, member: str) -> None:
        """Remove a member from the channel."""
        await self._post("kick", channel=channel, member=member)

    async def archive(self, channel: str) -> None:
        """Archive the channel."""
        await self._post("archive", channel=channel)

    async def unarchive(self, channel: str) -> None:
        """Unarchive the channel."""
        await self._post("unarchive", channel=channel)

    async def rename(self, channel: str, name: str) -> None:
        """Rename the channel."""
        await self._post("rename", channel=channel, name=name)

    async def home(self, app: str | None = None) -> None:
        """Open the Home tab of an app (its bot user's name or id), or of the first app."""
        await self._post("home", app=app)

    async def run_step(self, callback_id: str, inputs: Json, app: str | None = None) -> str:
        """Run a workflow with this one step of an app's, with these inputs, and return the execution's id."""
        return str((await self._post("run_step", callback_id=callback_id, inputs=inputs, app=app))["execution"])

    async def step(self, execution: str, timeout_s: float = 10.0) -> Json:
        """Wait for an execution's end; return its `status`: "success" with `outputs`, "error" with `error`, or "running"."""
        found = await self._post("step", execution=execution, timeout_s=timeout_s)
        return {name: value for name, value in found.items() if name != "ok"}

    # --- the wire ---

    async def _interact(self, verb: str, **body: Any) -> bool:
        return bool((await self._post(verb, **body)).get("acknowledged"))

    async def _post(self, verb: str, **body: Any) -> Json:
        given = {name: value for name, value in body.items() if value is not None}
        async with self._open.post(f"{self._url}/person/{verb}", json={"user": self.user, **given}) as response:
            return _accept(await response.json())

    async def _get(self, what: str, **query: str) -> Json:
        async with self._open.get(f"{self._url}/person/{what}", params={"user": self.user, **query}) as response:
            return _accept(await response.json())

    @property
    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use `async with Person(...)`")
        return self._session

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            change = json.loads(frame.data)
            for listener in self.listeners:
                listener.put_nowait(change)
            message = change.get("message") or {}
            if change["type"] == "message" and _is_reply(message):
                for future in self._waiting.get(message["thread_ts"], ()):
                    if not future.done():
                        future.set_result(message)
        for listener in self.listeners:
            listener.put_nowait(None)


def _is_reply(message: Json) -> bool:
    return (
        bool(message.get("bot_id")) and not message.get("ephemeral") and message.get("thread_ts", message["ts"]) != message["ts"]
    )


def _accept(answer: Json) -> Json:
    if not answer.get("ok"):
        raise SlackError(str(answer.get("error")), message=answer.get("message"))
    return answer
