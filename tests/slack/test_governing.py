"""Who changes what a channel chose, and who is told of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.views.texts import load_texts
from model.store.outbox_row import State, change_key
from model.store.store import Store
from tests.slack.dispatching import TEAM, a_context, dispatcher, published, slack
from tests.town import SimulatorThread

__all__ = ["published", "slack"]

CHANNEL = "C0SIMUATENCION"
GUEST, OUTSIDER, MEMBER, ADMIN = "U0SIMUCARLOS", "U2OUTSIDER", "U0SIMULUIS", "U0SIMUANA"
TRIGGER = "17.42"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="module")
def inside(slack: SimulatorThread) -> SimulatorThread:
    """The bot is in the channel."""
    slack.as_person("ana", lambda ana: ana.invite("atencion", "beto"))
    return slack


async def say(
    words: str, slack: SimulatorThread, store: Store, home: Path, published: list[str], *, user: str, trainers: str = ADMIN
) -> str:
    """What `/beto WORDS` answers this person."""
    body = {
        "command": "/beto", "text": words, "team_id": TEAM, "channel_id": CHANNEL, "user_id": user,
        "trigger_id": TRIGGER, "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    context = a_context(slack, store, home, published, trainers=trainers)
    response = await dispatcher(slack, store, home, published, context=context)(body)
    assert response.status == 200
    return str(response.body)


@pytest.mark.parametrize("user", [GUEST, OUTSIDER], ids=["guest", "outsider"])
@pytest.mark.parametrize("words", ["watch", "unwatch", "emoji on", "emoji off"])
async def test_guests_and_outsiders_change_nothing(
    words: str, user: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """A guest switched a whole channel off, and nobody heard of it."""
    store.channels.set_mode(CHANNEL, "mention" if words == "watch" else "auto")
    store.channels.set_seeds(CHANNEL, words == "emoji off")
    before = store.channels.mode(CHANNEL), store.channels.seeds(CHANNEL)
    assert await say(words, inside, store, tmp_path, published, user=user) == load_texts("es")("command.guest")
    assert (store.channels.mode(CHANNEL), store.channels.seeds(CHANNEL)) == before
    assert published == []


@pytest.mark.parametrize("user", [GUEST, OUTSIDER], ids=["guest", "outsider"])
@pytest.mark.parametrize(
    "words", ["reentrena", "vuelve", "vuelve 1", "conserva 3", "conserva corregidos 3", f"olvida <@{MEMBER}>"]
)
async def test_guests_and_outsiders_govern_nothing_whoever_named_them(
    words: str, user: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """A trainer who becomes a guest stays in BETO_TRAINERS, and the setting cannot tell."""
    texts, kept = load_texts("es"), store.erasure.retention(1, 1)
    refusal = texts("forget.refused" if words.startswith("olvida") else "run.refused_guest")
    assert await say(words, inside, store, tmp_path, published, user=user, trainers=user) == refusal
    assert store.runs.last() is None
    assert store.erasure.retention(1, 1) == kept
    assert published == []
    member = await say(words, inside, store, tmp_path, published, user=ADMIN, trainers=ADMIN)
    assert member != refusal  # else the above would show nothing


@pytest.mark.parametrize(
    ("words", "told"),
    [("watch", "told_watch"), ("unwatch", "told_unwatch"), ("emoji on", "told_emoji_on"), ("emoji off", "told_emoji_off")],
)
async def test_what_a_member_changes_is_told_in_the_channel_once(
    words: str, told: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Everybody there must know that every message is read now, who asked for it, and how it is undone."""
    store.channels.set_mode(CHANNEL, "auto" if words == "unwatch" else "mention")
    store.channels.set_seeds(CHANNEL, words == "emoji off")
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
