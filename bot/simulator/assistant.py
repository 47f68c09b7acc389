"""What an app offers beside its messages: prompts in the direct messages with it, and a line that says that it works."""

from collections.abc import Callable
from typing import Any, NamedTuple

from bot.simulator.arguments import Arguments
from bot.simulator.channel import Channel
from bot.simulator.clock import Clock, Timer
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.installation import Installation, Method
from bot.simulator.workspace import Change

MOST_PROMPTS = 4
MOST_LOADING_MESSAGES = 10
STATUS_LASTS_S = 120.0


class _Status(NamedTuple):
    words: str
    over: Timer


class Assistant:
    """One app's `assistant.threads.*`. `tell` is called with the channel whose people are to see something else.

    By docs.slack.dev/reference/methods a status goes when the app posts in its thread, and after two minutes; prompts are
    an agent's (`features.agent_view`), and with a `thread_ts` nothing happens, without an error.
    """

    def __init__(self, app: Installation, manifest: Json, clock: Clock, tell: Callable[[Channel], None]) -> None:
        self._app = app
        self._is_agent = "agent_view" in manifest["features"]
        self._clock = clock
        self._tell = tell
        self._prompts: dict[str, Json] = {}
        self._statuses: dict[tuple[str, str], _Status] = {}
        app.workspace.watchers.append(self._answered)
        self.methods = {
            # Either scope will do for now; the older one goes (docs.slack.dev/changelog/2026/03/05/set-status-scope-update).
            "assistant.threads.setStatus": Method(self._set_status, "chat:write", tier=5),
            "assistant.threads.setSuggestedPrompts": Method(self._set_prompts, "assistant:write", tier=4),
        }

    def shown(self, channel: Channel) -> Json:
        """Return what people see of it in this channel: `prompts`, and `statuses` by their thread's ts."""
        found: Json = {"statuses": {ts: one.words for (id_, ts), one in self._statuses.items() if id_ == channel.id}}
        return found | ({"prompts": self._prompts[channel.id]} if channel.id in self._prompts else {})

    def _set_status(self, args: Arguments) -> Json:
        channel = self._channel(args)
        thread_ts = args.required("thread_ts")
        root = channel.messages.get(thread_ts)
        if root is None or root.get("thread_ts", thread_ts) != thread_ts:
            raise SlackError("invalid_thread_ts")
        words = args.values.get("status")
        if not isinstance(words, str):
            raise invalid_arguments("missing required field: status")
        loading = args.data("loading_messages", "invalid_arguments")
        if loading is not None and not (_are_texts(loading) and len(loading) <= MOST_LOADING_MESSAGES):
            raise invalid_arguments(f"must be an array of at most {MOST_LOADING_MESSAGES} texts: loading_messages")
        self._clear(channel, thread_ts)
        if words.strip():
            over = self._clock.later(STATUS_LASTS_S, self._clear, channel, thread_ts)
            self._statuses[channel.id, thread_ts] = _Status(words, over)
            self._tell(channel)
        return {}

    def _set_prompts(self, args: Arguments) -> Json:
        channel = self._channel(args)
        if channel.kind != "im":
            raise SlackError("channel_not_found")
        prompts = args.data("prompts", "invalid_arguments")
        if not isinstance(prompts, list) or not 1 <= len(prompts) <= MOST_PROMPTS:
            raise invalid_arguments(f"must be an array of 1 to {MOST_PROMPTS} items: prompts")
        for one in prompts:
            if not isinstance(one, dict) or set(one) != {"title", "message"} or not all(map(_is_text, one.values())):
                raise invalid_arguments("each needs a title and a message: prompts")
        thread_ts = args.timestamp("thread_ts", "invalid_thread_ts")
        if self._is_agent and thread_ts is None:
            self._prompts[channel.id] = {"title": args.optional("title") or "", "prompts": prompts}
            self._tell(channel)
        return {}

    def _channel(self, args: Arguments) -> Channel:
        channel = self._app.channel(args.required("channel_id"))
        if not self._app.is_member(channel):
            raise SlackError("channel_not_found")
        return channel

    def _clear(self, channel: Channel, thread_ts: str) -> None:
        gone = self._statuses.pop((channel.id, thread_ts), None)
        if gone is not None:
            gone.over.cancel()
            self._tell(channel)

    def _answered(self, change: Change) -> None:
        message = change.message
        if change.kind == "posted" and message.get("bot_id") == self._app.bot.id:
            self._clear(change.channel, str(message.get("thread_ts", message["ts"])))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))
