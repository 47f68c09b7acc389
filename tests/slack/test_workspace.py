"""What happens around the messages: each event that the manifest subscribes to is heard, and does something that can be seen."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.slack.context import ListenerContext
from bot.slack.payloads.parsing import EVENTS, Other
from model.labels import seed_taxonomy
from model.schema import Message, Source
from model.store.outbox_row import State, reply_key
from model.store.store import Store
from model.store.tables import outbox
from tests.slack.dispatching import TEAM, a_context, dispatcher, known, published, slack
from tests.town import SimulatorThread

__all__ = ["known", "published", "slack"]

JUDGE = "U0SIMULUIS"  # who corrected the message that is known
ROOT = Path(__file__).parents[2]
MANIFEST = json.loads((ROOT / "bot" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def context(slack: SimulatorThread, known: Store, tmp_path: Path, published: list[str]) -> ListenerContext:
    return a_context(slack, known, tmp_path, published)


@pytest.fixture
def tell(
    slack: SimulatorThread, known: Store, tmp_path: Path, published: list[str], context: ListenerContext
) -> Callable[..., Any]:
    """Slack tells of this event, and it is acknowledged."""
    dispatch = dispatcher(slack, known, tmp_path, published, context=context)

    async def tell_of(kind: str, **fields: Any) -> None:
        event = {"type": kind, "event_ts": "9.000001", **fields}
        response = await dispatch({"type": "event_callback", "team_id": TEAM, "event": event, "api_app_id": "A1"})
        assert response.status == 200

    return tell_of


def test_the_manifest_subscribes_to_what_is_heard_and_to_nothing_else() -> None:
    """An event that nobody hears costs deliveries, and one that is heard and not subscribed to never comes."""
    subscribed = {name.split(".")[0] for name in MANIFEST["settings"]["event_subscriptions"]["bot_events"]}
    listeners = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot" / "slack" / "listeners").glob("*.py"))
    heard = set(re.findall(r'@app\.event\("(\w+)"\)', listeners))
    assert subscribed == heard
    # A workflow's step is sent to its own app, which subscribes to nothing for it.
    assert subscribed == set(EVENTS) - {"function_executed"}
    assert Other not in EVENTS.values()


@pytest.mark.parametrize("kind", ["channel_left", "group_left"])
async def test_a_channel_that_the_bot_was_taken_out_of_is_watched_no_longer(
    kind: str, tell: Callable[..., Any], known: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever took it out did not want it to begin again with every message at the next invitation."""
    known.channels.set_mode("C1", "auto")
    known.channels.set_mode("C2", "auto")
    with caplog.at_level(logging.INFO):
        await tell(kind, channel="C1")
    assert (known.channels.mode("C1"), known.channels.mode("C2")) == ("mention", "auto")
    assert "the bot was taken out of C1, which it labels no longer" in caplog.text


@pytest.mark.parametrize("kind", ["channel_deleted", "group_deleted"])
async def test_the_texts_of_a_deleted_channel_go_and_nothing_more_is_posted_there(
    kind: str, tell: Callable[..., Any], known: Store
) -> None:
    """Deleting a message removes its text, and this deletes all of them; posts to it would be refused for ever."""
    known.channels.set_mode("C1", "auto")
    other, _ = known.messages.save(Message(channel="C2", ts="1.000001", user="U1", text="hola", source=Source.CHANNEL))
    await tell(kind, channel="C1")
    stored = known.messages.find("C1", "1.000001")
    assert stored is not None
    assert (stored.deleted, stored.message.text) == (True, "")
    row = known.outbox.get(reply_key(stored.id))
    assert row is not None
    assert (row.state, row.retry_at) == (State.GONE, None)
    assert known.channels.mode("C1") == "mention"
    kept = known.messages.get(other)
    assert kept is not None
    assert kept.message.text == "hola"
    await tell(kind, channel="C1")  # Slack may tell twice


@pytest.mark.parametrize("kind", ["channel", "group"])
async def test_what_an_archived_channel_refused_is_due_when_it_is_opened_again(
    kind: str, tell: Callable[..., Any], known: Store
) -> None:
    """is_archived is no for ever, until somebody opens the channel."""
    stored = known.messages.find("C1", "1.000001")
    assert stored is not None
    key = reply_key(stored.id)
    with known.database.writing() as connection:
        refused = {"state": State.REFUSED, "reason": "is_archived", "retry_at": None}
        connection.execute(outbox.update().where(outbox.c.key == key).values(**refused))
    await tell(f"{kind}_archive", channel="C1")
    assert known.outbox.get(key).state is State.REFUSED
    await tell(f"{kind}_unarchive", channel="C1")
    row = known.outbox.get(key)
    assert (row.state, row.retry_at is not None) == (State.DUE, True)
    assert key in {each.key for each in known.outbox.overdue()}


async def test_a_new_name_changes_nothing_since_only_ids_are_kept(
    tell: Callable[..., Any], known: Store, caplog: pytest.LogCaptureFixture
) -> None:
    known.channels.set_mode("C1", "auto")
    with caplog.at_level(logging.INFO):
        await tell("channel_rename", channel={"id": "C1", "name": "reclamos-2027", "created": 1})
    assert "C1 is called #reclamos-2027 now" in caplog.text
    assert known.channels.mode("C1") == "auto"


@pytest.mark.parametrize(
    ("counted", "flags", "asked_anew"),
    [
        (False, {}, True),  # a guest was made a member
        (True, {"is_restricted": True}, True),  # and the other way round
        (True, {"is_ultra_restricted": True}, True),
        (True, {"team_id": "T0OTHER"}, True),
        (True, {"profile": {"status_text": "almorzando"}}, False),
        (False, {"is_restricted": True, "profile": {}}, False),
    ],
    ids=["guest made member", "member made guest", "single-channel guest", "moved away", "status", "a guest's status"],
)
async def test_gestures_of_whom_slack_gives_or_takes_rights_count_anew_and_their_replies_are_rendered(
    counted: bool, flags: dict[str, Any], asked_anew: bool, tell: Callable[..., Any], known: Store
) -> None:
    """For a day the words of a new colleague counted nothing; everybody's status comes the same way and costs nothing."""
    known.people.save(JUDGE, may_judge=counted, expert=False)
    stored = known.messages.find("C1", "1.000001")
    assert stored is not None
    before = known.outbox.get(reply_key(stored.id))
    await tell("user_change", user={"id": JUDGE, "team_id": TEAM, **flags})
    judged = known.judged.of(stored.id, seed_taxonomy())
    assert judged is not None
    assert (JUDGE in judged.unknown_people) is asked_anew
    row = known.outbox.get(reply_key(stored.id))
    assert row.wanted == before.wanted + asked_anew


async def test_a_person_who_never_judged_is_nobodys_concern(tell: Callable[..., Any], known: Store) -> None:
    """Thousands of people change their status every day."""
    await tell("user_change", user={"id": "U9", "team_id": TEAM, "is_restricted": True})
    assert known.outbox.overdue() == [row for row in known.outbox.overdue() if row.message_id is None]


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("tokens_revoked", {"tokens": {"oauth": [], "bot": ["UBETO"]}}, "SLACK_BOT_TOKEN was revoked"),
        ("app_uninstalled", {}, "the app was uninstalled"),
    ],
)
async def test_the_end_of_the_installation_is_told_once_with_what_to_do(
    kind: str,
    fields: dict[str, Any],
    said: str,
    tell: Callable[..., Any],
    context: ListenerContext,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Until now every reply failed with another error, and nobody said why."""
    await tell(kind, **fields)
    await tell(kind, **fields)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told == [
        f"{said}: install the app, copy its new tokens into the settings, and start the processes again; what waits is kept"
    ]
    assert context.lost[0] == said


async def test_a_persons_own_token_is_none_of_ours(tell: Callable[..., Any], context: ListenerContext) -> None:
    await tell("tokens_revoked", tokens={"oauth": ["U1"], "bot": []})
    assert context.lost == []
