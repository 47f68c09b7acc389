"""chat.* and reactions.* of the Web API."""

from collections.abc import Callable
from typing import Any

from bot.simulator import blocks
from bot.simulator.arguments import Arguments
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError
from bot.simulator.installation import Installation, Method
from bot.simulator.rate_limits import RateLimits
from bot.simulator.workspace import TEXT_LIMIT

UPDATE_TEXT_LIMIT = 4_000
METADATA_BYTES = 8_000


class ChatMethods:
    """What the bot writes and how it reacts. `base` returns the address at which permalinks begin."""

    def __init__(self, app: Installation, limits: RateLimits | None, base: Callable[[], str]) -> None:
        self._app = app
        self._limits = limits
        self._base = base
        self.methods = {
            "chat.delete": Method(self._chat_delete, "chat:write"),
            "chat.getPermalink": Method(self._chat_get_permalink, tier=5, takes_json=False),
            "chat.postEphemeral": Method(self._chat_post_ephemeral, "chat:write", tier=4),
            "chat.postMessage": Method(self._chat_post_message, "chat:write", tier=5),
            "chat.update": Method(self._chat_update, "chat:write"),
            "reactions.add": Method(self._reactions_add, "reactions:write"),
            "reactions.get": Method(self._reactions_get, "reactions:read", takes_json=False),
            "reactions.remove": Method(self._reactions_remove, "reactions:write", tier=2),
        }

    # --- chat ---

    def _chat_post_message(self, args: Arguments) -> Json:
        channel = self._app.post_channel(args.required("channel"))
        if self._limits is not None:
            self._limits.post(channel.id)
        text, content = self._content(args)
        metadata = _metadata(args)
        message = self._app.workspace.post_as_bot(
            channel,
            text,
            **content,
            thread_ts=args.timestamp("thread_ts", "invalid_thread_ts"),
            broadcast=args.flag("reply_broadcast"),
            metadata=metadata,
            bot=self._app.bot,
        )
        reply: Json = {
            "channel": channel.id,
            "ts": message["ts"],
            "message": message | ({"metadata": metadata} if metadata else {}),
        }
        if len(text) > TEXT_LIMIT:
            reply |= {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
        return reply

    def _chat_post_ephemeral(self, args: Arguments) -> Json:
        channel = self._app.post_channel(args.required("channel"))
        user = self._app.workspace.users.get(args.required("user"))
        if user is None or user.id not in channel.members:
            raise SlackError("user_not_in_channel")
        text, content = self._content(args)
        if len(text) > TEXT_LIMIT:
            raise SlackError("msg_too_long")
        message = self._app.workspace.bot_message(text, **content, bot=self._app.bot)
        self._app.workspace.post_ephemeral(channel, user, message, args.timestamp("thread_ts", "invalid_thread_ts"))
        return {"message_ts": message["ts"]}

    def _chat_update(self, args: Arguments) -> Json:
        channel = self._app.channel(args.required("channel"))
        ts = args.required("ts")
        if channel.message(ts).get("bot_id") != self._app.bot.id:
            raise SlackError("cant_update_message")
        if channel.is_archived:
            raise SlackError("is_inactive")
        if len(args.optional("text") or "") > UPDATE_TEXT_LIMIT:
            raise SlackError("msg_too_long")
        text, content = self._content(args)
        fields: Json = {"text": self._app.workspace.bot_message(text, bot=self._app.bot)["text"]}
        # What is not sent stays, so that text alone changes nothing that people see of a message with blocks; [] removes.
        fields |= {name: content[name] for name in ("blocks", "attachments") if args.values.get(name) not in (None, "")}
        if "metadata" in args.values:
            channel.metadata.pop(ts, None)
            if metadata := _metadata(args):
                channel.metadata[ts] = metadata
        message = self._app.workspace.edit(channel, ts, self._app.bot.user_id, fields)
        return {"channel": channel.id, "ts": ts, "text": message["text"], "message": message}

    def _chat_delete(self, args: Arguments) -> Json:
        channel = self._app.channel(args.required("channel"))
        ts = args.required("ts")
        if channel.message(ts).get("bot_id") != self._app.bot.id:
            raise SlackError("cant_delete_message")
        self._app.workspace.delete(channel, ts, self._app.bot.user_id)
        return {"channel": channel.id, "ts": ts}

    def _chat_get_permalink(self, args: Arguments) -> Json:
        channel = self._app.channel(args.required("channel"))
        message = channel.message(args.required("message_ts"))
        link = f"{self._base()}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
        if message.get("thread_ts", message["ts"]) != message["ts"]:
            link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
        return {"channel": channel.id, "permalink": link}

    def _content(self, args: Arguments) -> tuple[str, dict[str, Any]]:
        """Return the text of a message, and its blocks and attachments as keyword arguments of post_as_bot."""
        given = args.data("blocks", "invalid_blocks_format")
        attachments = args.data("attachments", "invalid_attachments")
        text = args.optional("text") or ""
        markdown = args.optional("markdown_text")
        if markdown is not None:
            if text or given:
                raise SlackError("markdown_text_conflict")
            text = markdown
        if attachments is not None and (
            not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments)
        ):
            raise SlackError("invalid_attachments")
        if attachments and len(attachments) > 100:
            raise SlackError("too_many_attachments")
        for one in attachments or ():
            if "blocks" in one:
                try:
                    blocks.check_message(one["blocks"])
                except SlackError as error:
                    raise SlackError("invalid_attachments", **error.details) from None
        shown = blocks.check_message(given) if given is not None else None
        if not text.strip() and not shown and not attachments:
            raise SlackError("no_text")
        return text or ("This content can't be displayed." if shown else ""), {
            "blocks": shown or None,
            "attachments": attachments or None,
        }

    # --- reactions ---

    def _reactions_add(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        self._app.workspace.react(channel, ts, self._app.bot.user_id, args.required("name"))
        return {}

    def _reactions_remove(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        self._app.workspace.unreact(channel, ts, self._app.bot.user_id, args.required("name"))
        return {}

    def _reactions_get(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        message = channel.message(ts)
        link = f"{self._base()}/archives/{channel.id}/p{ts.replace('.', '')}"
        return {"type": "message", "channel": channel.id, "message": {**message, "permalink": link}}

    def _item(self, args: Arguments) -> tuple[Channel, str]:
        for name in ("file", "file_comment"):  # nothing but messages can be reacted to any more
            if args.optional(name) is not None:
                raise SlackError(f"{name}_not_found")
        ts = args.timestamp("timestamp", "bad_timestamp")
        if args.optional("channel") is None or ts is None:
            raise SlackError("no_item_specified")
        return self._app.own_channel(args.required("channel")), ts


def _metadata(args: Arguments) -> Json | None:
    metadata = args.data("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if metadata.keys() - {"event_type", "event_payload", "entities"}:
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if len(str(metadata).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return metadata
