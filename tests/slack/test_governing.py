"""Who changes what a channel chose, and who is told of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.views.texts import load_texts
from model.reactions import Place
from model.schema import Reason, Verdict
from model.store.outbox_row import State, change_key
from model.store.runs import owner_name
from model.store.store import Store
from tests.outbox_rows import a_report, add_version
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, patient, published, slack, store
from tests.town import SimulatorThread

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL = "C0SIMUATENCION"
GUEST, OUTSIDER, MEMBER, ADMIN = "U0SIMUCARLOS", "U2OUTSIDER", "U0SIMULUIS", "U0SIMUANA"
TRIGGER = "17.42"
LOSES = Reason(code="loses", good=False, values={"which": "micro", "gain": -0.03, "low": -0.05, "high": -0.01})


async def say(
    words: str,
    slack: SimulatorThread,
    store: Store,
    home: Path,
    published: list[str],
    *,
    user: str,
    trainers: str = ADMIN,
    trigger: str = TRIGGER,
    channel: str = CHANNEL,
) -> str:
    """What `/beto WORDS` answers this person."""
    body = {
        "command": "/beto", "text": words, "team_id": TEAM, "channel_id": channel, "user_id": user,
        "trigger_id": trigger, "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    context = a_context(slack, store, home, published, trainers=trainers)
    response = await dispatcher(slack, store, home, published, context=context)(body)
    assert response.status == 200
    return str(response.body)


@pytest.mark.parametrize("user", [GUEST, OUTSIDER], ids=["guest", "outsider"])
@pytest.mark.parametrize("words", ["watch", "unwatch", "emoji on", "emoji off", "reacciones mensaje", "reactions reply"])
async def test_guests_and_outsiders_change_nothing(
    words: str, user: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """A guest switched a whole channel off, and nobody heard of it."""
    store.channels.set_mode(CHANNEL, "mention" if words == "watch" else "auto")
    store.channels.set_seeds(CHANNEL, words == "emoji off")
    store.channels.set_reactions(CHANNEL, "message" if words.endswith("reply") else "reply")
    before = store.channels.mode(CHANNEL), store.channels.seeds(CHANNEL), store.channels.reactions(CHANNEL)
    assert await say(words, inside, store, tmp_path, published, user=user) == load_texts("es")("command.guest")
    assert (store.channels.mode(CHANNEL), store.channels.seeds(CHANNEL), store.channels.reactions(CHANNEL)) == before
    assert published == []


@pytest.mark.parametrize("user", [GUEST, OUTSIDER], ids=["guest", "outsider"])
@pytest.mark.parametrize(
    "words", ["reentrena", "vuelve", "vuelve 1", "conserva 3", "conserva corregidos 3", f"olvida <@{MEMBER}>"]
)
async def test_guests_and_outsiders_govern_nothing_whoever_named_them(
    words: str, user: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """A trainer who becomes a guest stays in BETO_TRAINERS, and the setting cannot tell."""
    texts, kept = load_texts("es"), store.retention.kept_days(1, 1)
    refusal = texts("forget.refused" if words.startswith("olvida") else "run.refused_guest")
    assert await say(words, inside, store, tmp_path, published, user=user, trainers=user) == refusal
    assert store.runs.last() is None
    assert store.retention.kept_days(1, 1) == kept
    assert published == []
    member = await say(words, inside, store, tmp_path, published, user=ADMIN, trainers=ADMIN)
    assert member != refusal  # else the above would show nothing


async def test_a_user_group_that_does_not_exist_names_nobody_and_breaks_nothing(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """One mistyped group in BETO_TRAINERS, and nobody could retrain, nor was told why."""
    texts = load_texts("es")
    for words, refusal in (("reentrena", "run.refused"), ("vuelve", "run.refused")):
        assert await say(words, inside, store, tmp_path, published, user=MEMBER, trainers="S0TYPO") == texts(refusal)
    allowed = await say("vuelve", inside, store, tmp_path, published, user=ADMIN, trainers="S0TYPO,S0SIMUEXPERTOS")
    assert allowed != texts("run.refused")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("watch", "told_watch"),
        ("unwatch", "told_unwatch"),
        ("emoji on", "told_emoji_on"),
        ("emoji off", "told_emoji_off"),
        ("reacciones mensaje", "told_reactions_message"),
        ("reactions message", "told_reactions_message"),
        ("reacciones respuesta", "told_reactions_reply"),
        ("reactions REPLY", "told_reactions_reply"),
    ],
)
async def test_what_a_member_changes_is_told_in_the_channel_once(
    words: str, told: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Everybody there must know that every message is read now, who asked for it, and how it is undone."""
    store.channels.set_mode(CHANNEL, "auto" if words == "unwatch" else "mention")
    store.channels.set_seeds(CHANNEL, words == "emoji off")
    store.channels.set_reactions(CHANNEL, "message" if told == "told_reactions_reply" else "reply")
    await say(words, inside, store, tmp_path, published, user=MEMBER)
    row = store.outbox.get(change_key(TRIGGER))
    assert row is not None
    assert (row.channel, row.state) == (CHANNEL, State.DUE)
    assert row.content == {"text": f"command.{told}", "values": {"user": f"<@{MEMBER}>"}}
    assert published == ["bot.deliver"]
    await say(words, inside, store, tmp_path, published, user=MEMBER)
    assert published == ["bot.deliver"]  # nothing changed, so there is nothing to tell


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("words", ["emoji", "emoji quizás"])
async def test_a_word_that_switches_nothing_tells_how_it_is(
    words: str, on: bool, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """`/beto emoji`, to ask, switched it on for the channel."""
    store.channels.set_seeds(CHANNEL, on)
    answered = await say(words, inside, store, tmp_path, published, user=MEMBER)
    assert answered == load_texts("es")("command.emoji_is_on" if on else "command.emoji_is_off")
    assert store.channels.seeds(CHANNEL) is on
    assert published == []


@pytest.mark.parametrize(
    ("words", "likely"), [("reentrna", "reentrena"), ("wach", "watch"), ("desacer", "deshacer"), ("zzzz", None)]
)
async def test_an_unknown_word_is_answered_with_the_likeliest(
    words: str, likely: str | None, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Who mistypes should not have to read the whole help."""
    answered = await say(words, inside, store, tmp_path, published, user=MEMBER)
    assert (f"¿Querías decir `/beto {likely}`?" in answered) is (likely is not None)
    assert f"No conozco `{words}`" in answered


@pytest.mark.parametrize("place", ["message", "reply"])
@pytest.mark.parametrize("words", ["reacciones", "reactions quizás"])
async def test_the_word_alone_tells_where_reactions_count(
    words: str, place: Place, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Whoever asks switches nothing, a guest may ask, and offering is named where it decides."""
    texts = load_texts("es")
    store.channels.set_reactions(CHANNEL, place)
    told = texts(f"command.reactions_is_{place}")
    assert await say(words, inside, store, tmp_path, published, user=GUEST) == told
    store.channels.set_seeds(CHANNEL, True)
    assert await say(words, inside, store, tmp_path, published, user=GUEST) == f"{told}\n{texts('command.reactions_emoji')}"
    assert store.channels.reactions(CHANNEL) == place
    assert published == []


async def test_who_chooses_the_reply_is_told_that_emoji_mode_decides(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Else they would believe that reactions on messages no longer count."""
    store.channels.set_seeds(CHANNEL, True)
    answered = await say("reacciones respuesta", inside, store, tmp_path, published, user=MEMBER)
    assert load_texts("es")("command.reactions_emoji") in answered


@pytest.mark.parametrize("channel", ["C0SIMUFRAUDES", "D0SIMULUIS"], ids=["private", "direct"])
async def test_a_choice_where_the_bot_is_not_or_nobody_else_is_told_to_its_person_alone(
    channel: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """An announcement could not be posted there, or would tell the person who asked what they asked for."""
    texts = load_texts("es")
    until_then = texts("command.chosen_direct") if channel.startswith("D") else texts("command.chosen_outside", bot="beto")
    for words, told in (("reacciones mensaje", "command.reactions_message"), ("emoji on", "command.emoji_on")):
        answered = await say(words, inside, store, tmp_path, published, user=MEMBER, channel=channel)
        assert answered == f"{texts(told)}\n{until_then}"
    assert store.channels.reactions(channel) == "message"
    assert store.channels.seeds(channel)
    assert store.outbox.get(change_key(TRIGGER)) is None
    assert published == []


# What was not found better


@pytest.fixture
def doubtful(store: Store, trained_version: Path) -> Store:
    """Version 1 is live; version 2 was made by a run that did not find it better."""
    for number in (1, 2):
        run_id, _ = store.runs.open(ADMIN, channel=CHANNEL)
        owner = owner_name()
        assert store.runs.start(run_id, owner)
        assert add_version(store, trained_version, run_id) == number
        store.runs.note_version(run_id, owner, number, 9)
        worse = Verdict(promote=number == 1, reasons=(LOSES,) if number == 2 else ())
        report = a_report(number).model_copy(update={"verdict": worse, "live": number - 1 or None})
        assert store.runs.close(run_id, owner, "done", report=report)
    store.registry.promote(1, by=ADMIN, reason="the first")
    return store


def confirmed(view: dict[str, Any], user: str) -> dict[str, Any]:
    """The person has pressed the modal's button."""
    return {
        "type": "view_submission", "team": {"id": TEAM}, "user": {"id": user, "team_id": TEAM}, "trigger_id": "1.1",
        "view": {**view, "state": {"values": {}}},
    }  # fmt: skip


def opened(inside: SimulatorThread) -> list[dict[str, Any]]:
    """Every modal that was opened so far."""
    calls = [call for call in inside.simulator.transcript if call.method == "views.open"]
    return [
        json.loads(call.arguments["view"]) if isinstance(call.arguments["view"], str) else call.arguments["view"]
        for call in calls
    ]


async def test_going_to_a_version_that_was_not_found_better_asks_first(
    inside: SimulatorThread, doubtful: Store, tmp_path: Path, published: list[str]
) -> None:
    """`/beto vuelve 2` put a worse version to work for everybody, without a word about it."""
    registry, store = doubtful.registry, doubtful
    context = a_context(inside, store, tmp_path, published, trainers=ADMIN)
    dispatch = dispatcher(inside, store, tmp_path, published, context=context)
    before = len(opened(inside))
    trigger = inside.simulator.apps[0].views.new_trigger(ADMIN)
    assert await say("vuelve 2", inside, store, tmp_path, published, user=ADMIN, trigger=trigger) == ""
    assert registry.standing(1).is_live
    views = opened(inside)[before:]
    assert len(views) == 1
    assert load_texts("es")("run.sure_text", version=2) in str(views[0])
    assert "pierde" in str(views[0])
    await dispatch(confirmed({**views[0], "id": "V1"}, MEMBER))
    assert registry.standing(1).is_live  # whoever presses must be one who may
    await dispatch(confirmed({**views[0], "id": "V1"}, ADMIN))
    assert registry.standing(2).is_live
    assert registry.standing(2).by == ADMIN
    # What answered before is gone back to without a question.
    assert "Desde ahora responde la versión 1" in await say("vuelve", inside, store, tmp_path, published, user=ADMIN)
    assert "Desde ahora responde la versión 2" in await say("vuelve 2", inside, store, tmp_path, published, user=ADMIN)
