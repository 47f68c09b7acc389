"""Canvases among a channel's tabs: made, replaced and deleted by an app, read by whoever reads the channel."""

import secrets
from typing import Any

from bot.simulator.arguments import Arguments
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.installation import Installation, Method
from bot.simulator.screens import Screens

MOST_CHARACTERS = 1_048_576
OPERATIONS = frozenset({"insert_at_start", "insert_at_end", "replace", "rename"})


class Canvases:
    """One app's canvases; an app edits its own alone, and people read them.

    Of `canvases.edit` those operations are there that need no section: a replacement of all, what is put at either end, and a
    title. A canvas of no channel is not made here: this workspace is on the free plan.
    """

    def __init__(self, app: Installation, screens: Screens) -> None:
        self._app = app
        self._screens = screens
        self._by_id: dict[str, Json] = {}
        self.methods = {
            "canvases.create": Method(self._create, "canvases:write", tier=2),
            "canvases.delete": Method(self._delete, "canvases:write"),
            "canvases.edit": Method(self._edit, "canvases:write"),
        }

    def shown(self, channel: Channel) -> list[Json]:
        """Return the canvases of this channel: `id`, `title` and `markdown`."""
        return [one for one in self._by_id.values() if one["channel"] == channel.id]

    def _create(self, args: Arguments) -> Json:
        if args.optional("channel_id") is None:
            raise SlackError("free_teams_cannot_create_non_tabbed_canvases")
        channel = self._app.own_channel(args.required("channel_id"))
        content = args.data("document_content", "invalid_arguments")
        made: Json = {
            "id": f"F0{secrets.token_hex(5).upper()}", "channel": channel.id, "title": args.optional("title") or "",
            "markdown": "" if content is None else _markdown(content),
        }  # fmt: skip
        self._by_id[made["id"]] = made
        self._screens.renew(channel)
        return {"canvas_id": made["id"]}

    def _edit(self, args: Arguments) -> Json:
        canvas = self._found(args)
        changes = args.data("changes", "invalid_arguments")
        # "Only one operation per API call is currently supported."
        if not isinstance(changes, list) or len(changes) != 1 or not isinstance(changes[0], dict):
            raise invalid_arguments("must be an array of one change: changes")
        change, operation = changes[0], changes[0].get("operation")
        if operation not in OPERATIONS or change.get("section_id"):
            raise SlackError("canvas_editing_failed")
        if operation == "rename":
            canvas["title"] = _markdown(change.get("title_content"))
        else:
            said, before = _markdown(change.get("document_content")), str(canvas["markdown"])
            parts = {"insert_at_start": (said, before), "insert_at_end": (before, said)}.get(operation, (said,))
            canvas["markdown"] = "\n\n".join(part for part in parts if part)
        self._screens.renew(self._app.workspace.channels[canvas["channel"]])
        return {}

    def _delete(self, args: Arguments) -> Json:
        canvas = self._by_id.pop(self._found(args)["id"])
        self._screens.renew(self._app.workspace.channels[canvas["channel"]])
        return {}

    def _found(self, args: Arguments) -> Json:
        found = self._by_id.get(args.required("canvas_id"))
        if found is None:
            raise SlackError("canvas_not_found")
        return found


def _markdown(content: Any) -> str:
    if not isinstance(content, dict) or content.get("type") != "markdown" or not isinstance(content.get("markdown"), str):
        raise invalid_arguments("must be markdown: document_content")
    if len(content["markdown"]) > MOST_CHARACTERS:
        raise invalid_arguments(f"no more than {MOST_CHARACTERS} characters: document_content")
    return str(content["markdown"])
