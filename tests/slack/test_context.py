"""The event loop is held up by nobody, what Slack waits for comes in time, and no error is lost."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.errors import StartRefused
from bot.settings import BotSettings
from bot.slack import guard
from bot.slack.app import run
from bot.slack.context import TAXONOMY_KNOWN_FOR_S, Background, TaxonomyCache
from model.errors import StoreUnavailable
from model.labels import Taxonomy, seed_taxonomy
from model.store.store import Store
from tests.slack.dispatching import PERSON, TEAM, a_context, dispatcher, known, published, slack, surfaces
from tests.town import SimulatorThread

__all__ = ["known", "published", "slack"]

# Slack waits for three seconds.
IN_TIME_S = 3.0


@pytest.fixture
def mute_database() -> Iterator[str]:
    """The URL of a PostgreSQL that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept)
    thread.start()
    yield f"postgresql://beto@127.0.0.1:{listener.getsockname()[1]}/beto"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for each in accepted:
        each.close()


async def longest_gap(work: Any) -> float:
    """Seconds for which the event loop did nothing else while `work` was awaited."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0.05)
    await work
    ticking.cancel()
    return longest


async def test_a_database_that_does_not_answer_never_holds_up_the_event_loop(
    mute_database: str, slack: SimulatorThread, published: list[str], tmp_path: Path
) -> None:
    """Every other request waits for the loop, and Slack gives each of them three seconds; 532ec3a was blocked for five."""
    store = Store(mute_database, tmp_path)
    dispatch = dispatcher(slack, store, tmp_path, published)
    reaction = next(body for name, body in surfaces(TEAM).items() if "reaction_added" in name)
    assert await longest_gap(dispatch(reaction)) < 1.0
    store.close()


async def test_the_labels_known_last_are_used_while_the_database_does_not_answer() -> None:
    """A reaction must mean what it meant a minute ago, at once; and the new labels count once they can be read."""
    clock, answers = [100.0], threading.Event()
    taxonomies = [seed_taxonomy(), Taxonomy(seed_taxonomy().labels[:3])]
    reads: list[float] = []

    def read() -> Taxonomy:
        reads.append(clock[0])
        if len(reads) > 1:
            answers.wait(20)
        return taxonomies[min(len(reads), 2) - 1]

    cache = TaxonomyCache(read, lambda: clock[0])
    assert await cache.current() is taxonomies[0]
    clock[0] += TAXONOMY_KNOWN_FOR_S + 1
    began = time.monotonic()
    assert await cache.current() is taxonomies[0]
    assert await cache.current() is taxonomies[0]
    assert time.monotonic() - began < IN_TIME_S
    assert len(reads) == 2  # one thread waits, whoever asks
    answers.set()
    assert cache._refreshing is not None
    await asyncio.wait_for(cache._refreshing, 10)
    assert await cache.current() is taxonomies[1]


async def test_labels_that_never_were_known_are_not_invented() -> None:
    """The root asks at start-up, so the process says why it cannot start."""

    def read() -> Taxonomy:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await TaxonomyCache(read).current()


@pytest.fixture
async def slow_slack(slack: SimulatorThread) -> AsyncIterator[SimulatorThread]:
    """A Slack that takes longer to answer any call of ours than it waits for an acknowledgement."""
    for method in ("users.info", "conversations.info", "chat.getPermalink", "chat.postEphemeral", "views.open", "views.publish"):
        slack.simulator.faults.delay_calls(method, IN_TIME_S + 0.5, times=100)
    yield slack
    slack.simulator.faults.calm()


async def test_everything_is_acknowledged_in_time_however_long_slacks_own_calls_take(
    slow_slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path
) -> None:
    """Else the person reads that the app does not respond, and an event comes again; 532ec3a asked Slack first."""
    context = a_context(slow_slack, known, tmp_path, published, trainers="")
    dispatch = dispatcher(slow_slack, known, tmp_path, published, context=context, wait=False)
    slow = {name: body for name, body in surfaces(TEAM).items() if not name.startswith("/beto") or name in SLOW_WORDS}
    late = {}

    async def timed(name: str) -> None:
        began = time.monotonic()
        await dispatch(slow[name])
        if (took_s := time.monotonic() - began) > IN_TIME_S - 0.5:
            late[name] = took_s

    # All wait for Slack beside each other, as people do, and seldom for the processor.
    async with asyncio.TaskGroup() as requests:
        for name in slow:
            requests.create_task(timed(name))
            await asyncio.sleep(0.03)
    await context.background.finish(0)
    assert not late


LINK = "https://x.slack.com/archives/C1/p0000000001000001"
SLOW_WORDS = {
    "/beto reentrena ", "/beto vuelve ", "/beto watch ", "/beto deshacer ", f"/beto historial {LINK}", f"/beto olvida {LINK}",
    f"/beto olvida <@{PERSON}>", "/beto conserva corregidos 3",
}  # fmt: skip


async def test_a_word_that_slack_answers_late_is_answered_by_the_response_url(
    slow_slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path
) -> None:
    """The acknowledgement was empty by then, and the person still wants to know."""
    context = a_context(slow_slack, known, tmp_path, published, trainers="")
    answers: list[str] = []

    async def note(_url: str, text: str, **_: Any) -> None:
        answers.append(text)

    object.__setattr__(context, "answer", note)
    dispatch = dispatcher(slow_slack, known, tmp_path, published, context=context)
    answer = await dispatch(surfaces(TEAM)["/beto reentrena "])
    assert (answer.status, answer.body) == (200, "")
    assert answers == [context.texts("run.refused")]


@pytest.mark.parametrize("where", ["listener", "middleware", "error handler"])
async def test_an_error_of_our_own_is_logged_whole_and_not_acknowledged(
    slack: SimulatorThread,
    known: Store,
    published: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    """Slack sends the event again, and whoever reads the log sees where it failed; 532ec3a said that the request was odd."""

    class BrokenStore:
        def __getattr__(self, name: str) -> Any:
            raise KeyError("our own mistake")

    def fail(*_: Any, **__: Any) -> Any:
        raise KeyError("our own mistake")

    reaction = next(body for name, body in surfaces(TEAM).items() if "reaction_added" in name)
    context = a_context(slack, known, tmp_path, published)
    await context.taxonomy()
    if where == "middleware":
        monkeypatch.setattr(guard, "left_alone", fail)
        reaction = reaction | {"team_id": "T2FOREIGN"}
    else:
        object.__setattr__(context, "store", BrokenStore())
    if where == "error handler":
        object.__setattr__(context, "tell_failure", fail)
    answer = await dispatcher(slack, known, tmp_path, published, context=context)(reaction)
    assert answer.status == 500
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert any(isinstance(error, KeyError) and "our own mistake" in str(error) for error in logged)


async def test_what_was_acknowledged_is_finished_before_the_process_ends() -> None:
    """A modal that says "one moment" must not say so for ever because of a deployment."""
    background, done = Background(), []

    async def work(seconds: float) -> None:
        await asyncio.sleep(seconds)
        done.append(seconds)

    async def work_that_leads_to_more() -> None:
        await work(0.05)
        background.start(work(0.1))

    background.start(work_that_leads_to_more())
    background.start(work(30))
    began = time.monotonic()
    await background.finish(1)
    assert done == [0.05, 0.1]

    background.start(work_that_leads_to_more())
    await background.finish(30)
    assert done == [0.05, 0.1] * 2
    assert time.monotonic() - began < 5


async def test_a_bot_whose_emoji_say_two_things_does_not_start(slack: SimulatorThread, tmp_path: Path) -> None:
    """It would read one tap as something that its person did not mean."""
    environment = {name.lower(): value for name, value in slack.environment.items()}
    settings = BotSettings(home=tmp_path, database_url="", signs="wrong=mega", **environment)  # type: ignore[arg-type]  # of many kinds
    with pytest.raises(StartRefused, match="mega is the label 'reclamo' and also the sign 'wrong'"):
        await asyncio.wait_for(run(settings, http=False), 30)
