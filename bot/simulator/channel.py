"""A conversation of the simulated workspace: its members, and its messages in their order, with their threads."""

import bisect
from dataclasses import dataclass, field
from typing import Literal

from bot.simulator.errors import Json, SlackError

_THREAD_FIELDS = ("thread_ts", "reply_count", "reply_users_count", "latest_reply", "reply_users", "is_locked", "subscribed")


@dataclass(slots=True)
class Channel:
    """A conversation. Messages are replaced, never changed in place: a message that was read stays as it was."""

    id: str
    name: str
    kind: Literal["channel", "group", "im", "mpim"]  # mpim: direct messages of a group
    created: int
    creator: str
    members: dict[str, None] = field(default_factory=dict)  # in the order of joining
    messages: dict[str, Json] = field(default_factory=dict)  # by ts
    roots: list[str] = field(default_factory=list)  # ts of the messages in the channel itself, ascending
    threads: dict[str, list[str]] = field(default_factory=dict)  # ts of the replies, ascending, by the parent's ts
    metadata: dict[str, Json] = field(default_factory=dict)  # by ts
    is_archived: bool = False
    is_ext_shared: bool = False  # with another organisation, whose people read it too

    def message(self, ts: str) -> Json:
        """Return the message with that ts, in a thread or not."""
        found = self.messages.get(ts)
        if found is None or found.get("subtype") == "tombstone":
            raise SlackError("message_not_found")
        return found

    def thread(self, ts: str) -> list[Json]:
        """Return the parent and its replies, oldest first; `ts` is the parent's or a reply's."""
        message = self.messages.get(ts)
        if message is None:
            raise SlackError("thread_not_found")
        parent = message.get("thread_ts", ts)
        return [self.messages[one] for one in (parent, *self.threads.get(parent, ()))]

    def place(self, message: Json, thread_ts: str | None, *, broadcast: bool = False) -> None:
        """Put a new message, the latest of all, into the channel or into the thread; `message` is told its thread."""
        ts = message["ts"]
        parent = self.messages.get(thread_ts) if thread_ts else None
        if self.is_archived:
            raise SlackError("is_archived")
        if thread_ts and parent is None:
            raise SlackError("thread_not_found")
        if parent is None:
            self.roots.append(ts)
        else:
            root: str = parent.get("thread_ts") or parent["ts"]  # a reply to a reply is a reply to the parent
            message |= {"thread_ts": root, "parent_user_id": self.messages[root]["user"]}
            self.threads.setdefault(root, []).append(ts)
            if broadcast:
                message["subtype"] = "thread_broadcast"
                self.roots.append(ts)
        self.messages[ts] = message

    def remove(self, ts: str) -> Json | None:
        """Remove the message; return the tombstone that a parent with replies leaves, as in Slack, or None."""
        previous = self.message(ts)
        self.metadata.pop(ts, None)
        if self.threads.get(ts):
            thread = {key: previous[key] for key in _THREAD_FIELDS if key in previous}
            tombstone = {
                "type": "message", "subtype": "tombstone", "text": "This message was deleted.", "user": "USLACKBOT",
                "hidden": True, "ts": ts, **thread,
            }  # fmt: skip
            self.messages[ts] = tombstone
            return tombstone
        del self.messages[ts]
        parent = previous.get("thread_ts")
        if parent is None or previous.get("subtype") == "thread_broadcast":
            _discard(self.roots, ts)
        if parent is not None and parent != ts:
            _discard(self.threads[parent], ts)
        return None

    def count_replies(self, ts: str, subscriber: str, *, afresh: bool = False) -> Json | None:
        """Update the parent's number of replies and return it as it is now; None for a tombstone, which goes with its last reply.

        Only the newest reply is looked at, unless `afresh`: long threads must not make each reply slower. `subscriber` is the
        user whose client is told whether it follows the thread.
        """
        previous = self.messages[ts]
        replies = self.threads[ts]
        if not replies and previous.get("subtype") == "tombstone":
            del self.messages[ts], self.threads[ts]
            _discard(self.roots, ts)
            return None
        message = {key: value for key, value in previous.items() if key not in _THREAD_FIELDS}
        if replies:
            users = [] if afresh else previous.get("reply_users", [])
            new = dict.fromkeys(self.messages[one]["user"] for one in (replies if afresh else replies[-1:]))
            users = [*users, *(user for user in new if user not in users)]
            message |= {
                "thread_ts": ts, "reply_count": len(replies), "reply_users_count": len(users), "latest_reply": replies[-1],
                "reply_users": users, "is_locked": False, "subscribed": subscriber in users,
            }  # fmt: skip
        self.messages[ts] = message
        return message


def _discard(stamps: list[str], ts: str) -> None:
    """Remove `ts` from the ascending list; all timestamps have the same width, so text order is time order."""
    at = bisect.bisect_left(stamps, ts)
    if at < len(stamps) and stamps[at] == ts:
        del stamps[at]
