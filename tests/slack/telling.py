"""A message that not everybody may read, what people ask about it, and all that they are told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.web_api import Call
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.outbox_row import report_key, status_key
from model.store.predictions import NewPrediction
from model.store.runs import owner_name
from model.store.store import Store
from model.store.tables import outbox
from tests.outbox_rows import a_report, answer
from tests.slack.dispatching import TEAM, a_context, dispatcher
from tests.town import SimulatorThread

PRIVATE, PUBLIC, WATCHED = "C0SIMUFRAUDES", "C0SIMURECLAMOS", "C0SIMUATENCION"
TS, REPLY_TS = "1716400000.000001", "1716400000.000002"
STATUS_TS, REPORT_TS = "1716400000.000003", "1716400000.000004"
WORDS, NOTE = "Zoraida ya no tiene la tarjeta", "investigado: el primo"
GUEST, OUTSIDER, STRANGER, MEMBER, ADMIN = "U0SIMUCARLOS", "U2OUTSIDER", "U0SIMUMARIA", "U0SIMULUIS", "U0SIMUANA"
# What nobody may be told who does not read the channel: the words, a label, who judged, the note, the text's author.
SECRETS = (WORDS, "Cajero", "Fraude", NOTE, f"<@{MEMBER}>", f"<@{ADMIN}>")


@dataclass
class Told:
    """Everything that Slack was told, and that was answered, since."""

    slack: SimulatorThread
    url: str  # where answers by a response URL come
    answers: list[str]
    seen: int = 0

    def text(self) -> str:
        """What people can read of it: all but questions to Slack."""
        shown = [call for call in self.calls() if call.method.startswith(("chat.post", "chat.update", "views."))]
        return "\n".join([*self.answers, *(str(call.arguments) for call in shown)])

    def direct(self, user: str) -> str:
        """The channel of this person's direct messages with the bot."""
        workspace = self.slack.simulator.workspace
        return str(workspace.direct_channel(workspace.user(user), workspace.user("beto")).id)

    def calls(self) -> list[Call]:
        return list(self.slack.simulator.transcript)[self.seen :]


@pytest.fixture(scope="module")
def rooms(slack: SimulatorThread) -> SimulatorThread:
    """The bot is in all of these channels, also in the private one."""
    slack.as_person("ana", lambda ana: ana.invite("atencion", "beto"))
    slack.as_person("ana", lambda ana: ana.invite("fraudes", "beto"))
    slack.as_person("ana", lambda ana: ana.invite("reclamos", "beto"))
    return slack


@pytest.fixture
def told(rooms: SimulatorThread) -> Iterator[Told]:
    answers: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answers.append(str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield Told(rooms, f"http://127.0.0.1:{server.server_port}/", answers, len(rooms.simulator.transcript))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """A message that is labelled and judged, with a note, in a private and in a public channel."""
    made = sqlite_store
    for channel in (PRIVATE, PUBLIC):
        message_id, _ = made.messages.save(Message(channel=channel, ts=TS, user=MEMBER, text=WORDS, source=Source.CHANNEL))
        said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
        made.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
        answer(made, message_id, REPLY_TS)
        gesture = Gesture(user=ADMIN, handle="h", at=1716400001000000, kind=Kind.SET, labels=("fraude",))
        made.gestures.add(gesture, channel=channel, item_ts=TS, note=NOTE)
    return made


def train(store: Store, channel: str) -> None:
    """A training is under way, and told in this channel."""
    store.runs.open(ADMIN, channel=channel)
    stand(store, status_key(1), STATUS_TS)


def report(store: Store, channel: str) -> None:
    """A training has ended, and its report in this channel tells of the message."""
    train(store, channel)
    message = store.messages.find(channel, TS)
    assert message is not None
    owner = owner_name()
    store.runs.start(1, owner)
    store.runs.close(1, owner, "done", report=a_report(1, flips=(message.id,)))
    stand(store, report_key(1), REPORT_TS)


def stand(store: Store, key: str, ts: str) -> None:
    with store.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.key == key).values(ts=ts, state="shown", retry_at=None))


# (told, channel, user, message's id) -> what Slack sends when this person does it there.
Request = Callable[[Told, str, str, int], dict[str, Any]]


def a_command(words: str, told: Told, user: str, channel: str = WATCHED) -> dict[str, Any]:
    return {
        "command": "/beto", "text": words, "team_id": TEAM, "channel_id": channel, "user_id": user,
        "trigger_id": told.slack.simulator.apps[0].views.new_trigger(user), "response_url": told.url,
    }  # fmt: skip


def a_base(told: Told, user: str) -> dict[str, Any]:
    return {
        "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "api_app_id": "A1", "response_url": told.url,
        "trigger_id": told.slack.simulator.apps[0].views.new_trigger(user),
    }  # fmt: skip


def link(channel: str) -> str:
    return f"https://x.slack.com/archives/{channel}/p{TS.replace('.', '')}"


def shortcut(name: str) -> Request:
    return lambda told, channel, user, _: a_base(told, user) | {
        "type": "message_action", "callback_id": name, "channel": {"id": channel},
        "message": {"ts": TS, "text": "?", "user": MEMBER},
    }  # fmt: skip


def view(name: str, seen: str) -> Request:
    return lambda told, _channel, user, message_id: a_base(told, user) | {
        "type": "view_submission",
        "view": {
            "id": "V1", "type": "modal", "callback_id": name,
            "private_metadata": json.dumps({"message": message_id} | ({"seen": seen} if seen else {})),
            "state": {"values": {"labels": {"labels": {"selected_options": [{"value": "ahorro"}]}}}},
        },
    }  # fmt: skip


def button(name: str, ts: str = REPLY_TS, value: str = "") -> Request:
    return lambda told, channel, user, _: a_base(told, user) | {
        "type": "block_actions", "channel": {"id": channel},
        "actions": [{"type": "button", "action_id": name, "block_id": "b", "action_ts": "9.9", "value": value}],
        "container": {"type": "message", "channel_id": channel, "message_ts": ts},
    }  # fmt: skip


def command(words: str) -> Request:
    """`/beto WORDS`, where "{link}" is the message's, and "{channel}" where it stands."""
    return lambda told, channel, user, _: a_command(
        words.replace("{link}", link(channel)).replace("{channel}", channel), told, user
    )


async def ask(
    request: Request,
    told: Told,
    store: Store,
    home: Path,
    published: list[str],
    *,
    channel: str,
    user: str,
    trainers: str = MEMBER,
) -> str:
    """Everything that this person reads after they asked."""
    message = store.messages.find(channel, TS)
    assert message is not None
    context = a_context(told.slack, store, home, published, trainers=trainers)
    response = await dispatcher(told.slack, store, home, published, context=context)(request(told, channel, user, message.id))
    return f"{response.body}\n{told.text()}"
