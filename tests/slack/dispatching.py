"""The real app without a socket: fed with requests for everything that it listens to, about a workspace that it knows."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from celery.canvas import Signature
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse

import bot.views
from bot.settings import BotSettings
from bot.simulator.server import Simulator
from bot.slack.app import build_app
from bot.slack.context import ListenerContext, build_context
from bot.slack.listeners import commands
from bot.slack.listeners.commands import WORDS
from bot.views import (
    blocks,
    guide_blocks,
    home_blocks,
    label_blocks,
    review_blocks,
    route_blocks,
    summary_blocks,
    why_blocks,
)
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import metadata
from tests.outbox_rows import answer
from tests.town import SimulatorThread

ROOT = Path(__file__).parents[2]
TEAM = "T0SIMULADOR"
# Who does everything in these tests: a full member of the workspace, and no admin.
PERSON = "U0SIMULUIS"


@pytest.fixture(scope="module")
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


SECRET = "La señora Zoraida perdió la clave"


@pytest.fixture
def published() -> list[str]:
    """What would be on the queues, whose Redis is not what these tests are about."""
    return []


@pytest.fixture(scope="module")
def inside(slack: SimulatorThread) -> SimulatorThread:
    """A workspace in which the bot is a member of #atencion."""
    slack.as_person("ana", lambda ana: ana.invite("atencion", "beto"))
    return slack


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is answered where it was given, however slow the machine is; for modules that look there alone."""
    monkeypatch.setattr(commands, "ANSWER_WITHIN_S", 60.0)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """An empty store, for modules that take it in place of one on each database."""
    return sqlite_store


@pytest.fixture
def known(sqlite_store: Store) -> Store:
    """A store where the workspace has an answered message, a judgement, a finished run and a version."""
    store = sqlite_store
    message = Message(channel="C1", ts="1.000001", user=PERSON, text=SECRET, source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    answer(store, message_id, "1.000002")
    gesture = Gesture(user=PERSON, handle="h", at=5, kind=Kind.SET, labels=("cajero",))
    store.gestures.add(gesture, channel="C1", item_ts="1.000001", note="de Zoraida")
    runs = store.runs
    runs.open(PERSON, channel="C1")
    with store.database.writing() as connection:
        outbox = metadata.tables["outbox"]
        connection.execute(outbox.update().where(outbox.c.kind == "status").values(ts="1.000003"))
    return store


def a_context(
    slack: SimulatorThread, store: Store, home: Path, published: list[str], *, trainers: str = PERSON
) -> ListenerContext:
    """What the app's listeners work with, which asks this Slack and notes what it would publish."""
    environment = {name.lower(): value for name, value in slack.environment.items()}
    settings = BotSettings(home=home, trainers=trainers, **environment)  # type: ignore[arg-type]  # of many kinds

    async def note(signature: Signature[None]) -> None:
        published.append(str(signature.task))

    made = build_context(settings, store, bot_user="UBETO", bot_name="beto", team=TEAM, publish=note)
    return replace(made, late_s=0.0)  # nobody answers here


def dispatcher(
    slack: SimulatorThread,
    store: Store,
    home: Path,
    published: list[str],
    *,
    context: ListenerContext | None = None,
    wait: bool = True,
) -> Callable[[dict[str, Any]], Any]:
    """The real app, fed as Socket Mode feeds it; with `wait` what follows an acknowledgement is over when it has answered."""
    context = context or a_context(slack, store, home, published)
    who = AuthorizeResult(
        enterprise_id=None, team_id=TEAM, bot_user_id="UBETO", bot_id="B1", bot_token=Simulator.bot_token
    )  # fmt: skip
    app = build_app(context, who)

    async def dispatch(body: dict[str, Any]) -> Any:
        try:
            request = AsyncBoltRequest(body=body, mode="socket_mode")
        except (TypeError, AttributeError, KeyError, IndexError):
            return BoltResponse(status=400)  # Bolt's own reading; the Socket Mode client logs it and goes on
        answer = await app.async_dispatch(request)
        if wait:
            await context.background.finish(30)
        return answer

    return dispatch


def named_in_views(ending: str) -> list[str]:
    """Return the ids of Slack's that some module of the views names with this ending, whichever that is."""
    modules = [importlib.import_module(f"bot.views.{each.name}") for each in pkgutil.iter_modules(bot.views.__path__)]
    return sorted({value for each in modules for name, value in vars(each).items() if name.endswith(ending)})


def surfaces(team: str, *, response_url: str = "http://127.0.0.1:1/") -> dict[str, dict[str, Any]]:
    """A request for each thing that the app listens to, all about what the workspace TEAM has."""
    base = {"team": {"id": team}, "user": {"id": PERSON, "team_id": team}, "trigger_id": "1.1", "api_app_id": "A1"}
    manifest = json.loads((ROOT / "bot" / "manifest.json").read_text(encoding="utf-8"))
    made: dict[str, dict[str, Any]] = {}
    for action in named_in_views("_ACTION"):
        for ts in ("1.000001", "1.000002", "1.000003", "1.000004"):
            made[f"{action} on {ts}"] = base | {
                "type": "block_actions",
                "actions": [{"type": "button", "action_id": action, "block_id": "b", "action_ts": "9.9"}],
                "container": {"type": "message", "channel_id": "C1", "message_ts": ts}, "channel": {"id": "C1"},
            }  # fmt: skip
    for view in named_in_views("_VIEW"):
        for metadata_ in ({"message": 1, "seen": ""}, {"message": 1}, {"person": PERSON}, {"channel": "C1"}):
            made[f"{view} {metadata_}"] = base | {
                "type": "view_submission",
                "view": {
                    "id": "V1", "type": "modal", "callback_id": view, "private_metadata": json.dumps(metadata_),
                    "state": {"values": {"labels": {"labels": {"selected_options": [{"value": "ahorro"}]}}}},
                },
            }  # fmt: skip
    for action, value in (
        (label_blocks.ADD_BUTTON, ""), (label_blocks.MENU, "up:tarjeta"), (label_blocks.MENU, "retire:tarjeta"),
        (label_blocks.RESTORE_BUTTON, "tarjeta"), (label_blocks.UNDO_BUTTON, "1"),
        (review_blocks.OPEN_BUTTON, ""), (review_blocks.CORRECT_BUTTON, ""), (review_blocks.SKIP_BUTTON, ""),
        (f"{summary_blocks.SPAN_BUTTON}_6", "6"), (summary_blocks.EDIT_BUTTON, "1"),
        (home_blocks.LABELS_BUTTON, ""), (home_blocks.FIGURES_BUTTON, ""), (home_blocks.RETRAIN_BUTTON, ""),
        (review_blocks.BACK_BUTTON, ""), (review_blocks.SETTLE_YES_BUTTON, "app"), (review_blocks.SETTLE_NO_BUTTON, "app"),
        (label_blocks.YES_BUTTON, "1"), (label_blocks.NO_BUTTON, "1"),
        (guide_blocks.GUIDE_BUTTON, ""), (label_blocks.BANK_BUTTON, ""), (label_blocks.OWN_BUTTON, ""),
        (why_blocks.MENU, "tarjeta"),
        (route_blocks.ADD_BUTTON, ""), *((route_blocks.MENU, f"{act}:1") for act in ("on", "remove", "test")),
    ):  # fmt: skip
        made[f"{action} {value} in a modal"] = base | {
            "type": "block_actions", "container": {"type": "view", "view_id": "V2"},
            "view": {
                "id": "V2", "root_view_id": "V1", "type": "modal", "callback_id": "",
                "private_metadata": json.dumps({"message": 1}),
            },
            "actions": [{"type": "button", "action_id": action, "block_id": "b", "action_ts": "9.9", "value": value}],
        }  # fmt: skip
    made["search"] = base | {
        "type": "block_suggestion", "action_id": blocks.CHOICE, "block_id": blocks.CHOICE, "value": "tarjeta",
        "container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1", "type": "modal", "callback_id": blocks.EDIT_VIEW},
    }  # fmt: skip
    for shortcut in manifest["features"]["shortcuts"]:
        made[f"shortcut {shortcut['callback_id']}"] = base | {
            "type": "message_action", "callback_id": shortcut["callback_id"], "channel": {"id": "C1"},
            "message": {"ts": "1.000001", "text": "hola", "user": PERSON}, "response_url": response_url,
        }  # fmt: skip
    link = "https://x.slack.com/archives/C1/p0000000001000001"
    for word in WORDS:
        for rest in ("", link, "1", f"<@{PERSON}>", "corregidos 3", "texto"):
            made[f"/beto {word} {rest}"] = {
                "command": "/beto", "text": f"{word} {rest}", "team_id": team, "channel_id": "C1", "user_id": PERSON,
                "trigger_id": f"1.{word}.{rest}", "response_url": response_url,
            }  # fmt: skip
    message = {"channel": "C1", "user": PERSON, "ts": "1.000001", "text": "otro", "channel_type": "im"}
    for each in (
        {"type": "message", **message},
        {"type": "message", **message, "ts": "5.000001"},
        {"type": "app_mention", **message, "ts": "5.000002"},
        {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": "1.000001"},
        {"type": "message", "subtype": "message_changed", "channel": "C1", "message": message, "previous_message": {}},
        {"type": "reaction_added", "user": "U2", "reaction": "x", "item": {"type": "message", "channel": "C1", "ts": "1.000001"}},
        {"type": "channel_id_changed", "old_channel_id": "C1", "new_channel_id": "C2"},
        {"type": "member_joined_channel", "user": "UBETO", "channel": "C1", "event_ts": "9.000001"},
        {"type": "app_home_opened", "user": PERSON, "tab": "home"},
        *(
            {"type": f"{kind}_{what}", "channel": "C1"}
            for kind in ("channel", "group")
            for what in ("left", "archive", "unarchive", "deleted")
        ),
        {"type": "channel_rename", "channel": {"id": "C1", "name": "nuevo"}},
        {"type": "user_change", "user": {"id": PERSON, "team_id": team, "is_restricted": True}},
        {"type": "tokens_revoked", "tokens": {"bot": ["UBETO"]}},
        {"type": "app_uninstalled"},
    ):
        made[f"event {each}"] = {"type": "event_callback", "team_id": team, "event": each, "api_app_id": "A1"}
    return made
