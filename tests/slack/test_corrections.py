"""People correct labels in Slack: every gesture of the table, each over Socket Mode with SQLite and HTTP with PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from bot.outbox.replies import SEED_FROM, SEEDS
from bot.simulator.person import Person
from bot.simulator.wire import Transfer
from model.labels import seed_taxonomy
from model.store.tables import messages
from tests.outbox_rows import is_settled
from tests.slack.cases import CHANNEL, Case, a_case, eventually
from tests.town import Town, until

NAMES = seed_taxonomy().names
EMOJI = {label.name: label.emoji for label in seed_taxonomy()}


@pytest.fixture
async def case(town: Town, ana: Person) -> AsyncIterator[Case]:
    async with Person(town.url, "luis") as luis:
        await ana.command("atencion", "/beto", "watch")
        town.store.channels.set_reactions(CHANNEL, "reply")
        yield await a_case(town, ana, luis)


def place(case: Case, on: str) -> str:
    """The item to react on; on the message itself it counts where the channel chose that."""
    if on == "message":
        case.town.store.channels.set_reactions(CHANNEL, "message")
        return case.ts
    return case.reply_ts


def predicted(case: Case) -> tuple[str, ...]:
    prediction = case.judged.prediction
    assert prediction is not None
    assert prediction.labels, "the tests need a message that the network is sure of"
    return prediction.labels


@pytest.mark.parametrize("on", ["message", "reply"])
async def test_a_label_emoji_adds_that_label_and_taking_it_back_withdraws_it(case: Case, on: str) -> None:
    """One tap, on the reply, or on the message where the channel chose that."""
    item = place(case, on)
    await case.ana.react(CHANNEL, item, EMOJI["ahorro"])
    judged = await case.until(lambda state: state.labels["ahorro"].status == "added")
    assert set(judged.state.unknown) == set(NAMES) - {"ahorro"}
    await case.until_shown("lo añade <@U0SIMUANA>")
    await case.ana.unreact(CHANNEL, item, EMOJI["ahorro"])
    await case.until(lambda state: state.labels["ahorro"].status == "unjudged")


@pytest.mark.parametrize("on", ["message", "reply"])
async def test_the_tick_confirms_the_shown_set(case: Case, on: str) -> None:
    shown = predicted(case)
    await case.luis.react(CHANNEL, place(case, on), "white_check_mark")
    judged = await case.until(lambda state: not state.unknown)
    assert set(judged.state.shown) == set(shown)
    await case.until_shown("confirmado por <@U0SIMULUIS>")


@pytest.mark.parametrize("on", ["message", "reply"])
async def test_the_cross_rejects_what_is_shown_but_not_what_its_person_named(case: Case, on: str) -> None:
    item = place(case, on)
    first, *_ = predicted(case)
    await case.ana.react(CHANNEL, item, EMOJI["ahorro"])
    await case.until(lambda state: "ahorro" in state.shown)
    await case.ana.react(CHANNEL, item, "x")
    judged = await case.until(lambda state: state.labels[first].status == "rejected")
    assert judged.state.shown == ("ahorro",)
    await case.until_shown("no, según <@U0SIMUANA>")


@pytest.mark.parametrize("on", ["message", "reply"])
async def test_no_entry_says_that_no_label_applies(case: Case, on: str) -> None:
    await case.ana.react(CHANNEL, place(case, on), "no_entry_sign")
    judged = await case.until(lambda state: not state.unknown)
    assert judged.state.shown == ()
    await case.until_shown("Ninguna etiqueta")


async def test_everyday_reactions_on_a_message_are_no_labels(case: Case) -> None:
    """A prayer thanks a colleague and a tick says *attended to*; labels are shown on the reply, and there they count."""
    for person, emoji in ((case.ana, EMOJI["agradecimiento"]), (case.luis, "white_check_mark"), (case.luis, EMOJI["ahorro"])):
        await person.react(CHANNEL, case.ts, emoji)
    await case.luis.unreact(CHANNEL, case.ts, "white_check_mark")
    await case.ana.react(CHANNEL, case.reply_ts, EMOJI["cuenta"])  # once this is counted, the others were heard too
    judged = await case.until(lambda state: state.labels["cuenta"].status == "added")
    assert set(judged.state.unknown) == set(NAMES) - {"cuenta"}
    assert [each.gesture.labels for each in case.town.store.gestures.history(case.id)] == [("cuenta",)]
    await case.until_shown("lo añade <@U0SIMUANA>")
    assert "<@U0SIMULUIS>" not in await case.reply()


async def test_the_button_is_the_tick(case: Case) -> None:
    shown = predicted(case)
    for _ in range(2):  # Slack tells every click, and none that takes one back
        assert await case.luis.action("labels_feedback", channel=CHANNEL, ts=case.reply_ts, value="correct")
    judged = await case.until(lambda state: not state.unknown)
    assert set(judged.state.shown) == set(shown)
    assert judged.state.judges == ("U0SIMULUIS",)


async def test_one_tap_takes_a_single_label_away(case: Case) -> None:
    """It says no to that label and nothing of any other; its button is gone then, and it is taken back as all gestures are."""
    first, *others = predicted(case)
    taps = {each["value"]: each["action_id"] for each in await case.buttons() if "value" in each}
    assert set(taps) == {first, *others}
    assert await case.luis.action(taps[first], channel=CHANNEL, ts=case.reply_ts)
    judged = await case.until(lambda state: state.labels[first].status == "rejected")
    assert set(judged.state.shown) == set(others)
    assert set(judged.state.unknown) == set(NAMES) - {first}
    await case.until_shown("no, según <@U0SIMULUIS>")
    assert first not in [each.get("value") for each in await case.buttons()]
    assert await case.luis.command("atencion", "/beto", "deshacer")
    await case.until(lambda state: state.labels[first].status == "predicted")


async def filled_modal(person: Person, opening: Callable[[], Awaitable[bool]]) -> dict[str, object]:
    """The modal once it asks for labels; it opened at once, saying that it loads."""
    changes = person.changes()
    assert await opening()
    first = await until(changes, lambda change: change["type"] == "view")
    assert "Un momento" in str(first["view"])
    change = await until(changes, lambda change: change["type"] == "view" and change["view"].get("submit"))
    changes.close()
    return dict(change["view"])


def thumb_down(case: Case) -> Callable[[], Awaitable[bool]]:
    """Ana finds the labels of the reply wrong."""
    return lambda: case.ana.action("labels_feedback", channel=CHANNEL, ts=case.reply_ts, value="wrong")


def choosing(*labels: str, note: str = "") -> dict[str, object]:
    options = [{"value": name} for name in labels]
    values: dict[str, object] = {"labels": {"labels": {"type": "multi_static_select", "selected_options": options}}}
    return values | ({"note": {"note": {"type": "plain_text_input", "value": note}}} if note else {})


async def test_the_modal_sets_exactly_the_chosen_labels(case: Case) -> None:
    """Prefilled with what stands; its note is kept in the history."""
    shown = predicted(case)
    view = await filled_modal(case.ana, thumb_down(case))
    [menu] = [block["element"] for block in view["blocks"] if block["block_id"] == "labels"]  # type: ignore[attr-defined]  # JSON
    assert {option["value"] for option in menu["initial_options"]} == set(shown)
    assert await case.ana.view_submit(str(view["id"]), choosing("fraude", "urgente", note="lo llamé"))
    judged = await case.until(lambda state: not state.unknown)
    assert set(judged.state.shown) == {"fraude", "urgente"}
    changes = case.luis.changes()
    assert await case.luis.shortcut(CHANNEL, case.ts, "label_history")
    change = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
    assert "eligió Fraude, Urgente · «lo llamé»" in change["message"]["text"]


async def test_a_modal_does_not_overwrite_what_somebody_else_said_meanwhile(case: Case) -> None:
    """Shown, not overwritten; a second look, and the second submission counts."""
    view = await filled_modal(case.ana, thumb_down(case))
    await case.luis.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until(lambda state: state.labels["ahorro"].status == "added")
    changes = case.ana.changes()
    await case.ana.view_submit(str(view["id"]), choosing("fraude"))
    change = await until(changes, lambda change: change["type"] == "view")
    assert "Mientras tanto alguien cambió" in str(change["view"]["blocks"])
    assert case.judged.state.labels["fraude"].yes == ()
    assert await case.ana.view_submit(str(view["id"]), choosing("fraude"))
    await case.until(lambda state: state.labels["fraude"].yes == ("U0SIMUANA",))


async def test_the_shortcut_corrects_a_message_that_was_never_classified(town: Town, ana: Person) -> None:
    """Also inside a thread, where commands cannot go."""
    await ana.command("atencion", "/beto", "unwatch")
    parent = await ana.message("atencion", "de esto nadie preguntó")
    ts = await ana.message("atencion", "y esto va dentro del hilo, quiero abrir una cuenta", parent)
    view = await filled_modal(ana, lambda: ana.shortcut(CHANNEL, ts, "edit_labels"))
    assert await ana.view_submit(str(view["id"]), choosing("cuenta"))
    stored = town.store.messages.find(CHANNEL, ts)
    assert stored is not None
    judged = town.store.judged
    await eventually(lambda: judged.of(stored.id, seed_taxonomy()).state.shown == ("cuenta",), lambda: "not corrected")
    await eventually(lambda: town.store.outbox.reply_ts(stored.id) is not None, lambda: "no reply")


async def test_skin_tones_aliases_and_strange_emoji(case: Case) -> None:
    """A prayer in any colour is thanks; a pizza means nothing and nobody is told so."""
    assert EMOJI["agradecimiento"] == "pray"
    await case.ana.react(CHANNEL, case.reply_ts, "pray::skin-tone-4")
    await case.ana.react(CHANNEL, case.reply_ts, "pizza")
    judged = await case.until(lambda state: state.labels["agradecimiento"].status == "added")
    assert len(judged.state.judges) == 1
    await case.ana.react(CHANNEL, case.reply_ts, "pray")
    await case.ana.unreact(CHANNEL, case.reply_ts, "pray::skin-tone-4")
    await asyncio.sleep(0)
    await case.until(lambda state: state.labels["agradecimiento"].status == "added")


async def test_opinions_that_are_even_are_asked_about_once(case: Case) -> None:
    message = place(case, "message")
    await case.ana.react(CHANNEL, message, EMOJI["ahorro"])
    await case.luis.react(CHANNEL, message, "no_entry_sign")
    await case.until(lambda state: state.labels["ahorro"].status == "disputed")
    await case.until_shown("Ahorro e inversión: en disputa")
    await case.luis.react(CHANNEL, case.reply_ts, "no_entry_sign")
    async with Person(case.town.url, "maria") as maria:
        await maria.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
        await case.until(lambda state: state.labels["ahorro"].status == "added")
        await maria.unreact(CHANNEL, case.reply_ts, EMOJI["ahorro"])
        await case.until(lambda state: state.labels["ahorro"].status == "disputed")
    await case.until_shown("Ahorro e inversión: en disputa")
    about: list[str] = []
    async with asyncio.timeout(15):
        while not about:
            asked = [each["text"] for each in await case.ana.messages(CHANNEL, case.ts)]
            about = [text for text in asked if "Para decidirlo" in text and "Ahorro" in text]
    assert len(about) == 1
    assert "<@U0SIMUANA>" in about[0]
    assert "<@U0SIMULUIS>" in about[0]


async def test_a_guest_is_told_quietly_that_it_does_not_count(case: Case) -> None:
    async with Person(case.town.url, "carlos") as carlos:
        changes = carlos.changes()
        await carlos.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
        async with asyncio.timeout(15):
            told_before = "U0SIMUCARLOS" in TOLD
            while not told_before:
                change = await anext(changes)
                if change["type"] == "message" and change["message"].get("ephemeral"):
                    assert "tus correcciones no cuentan" in change["message"]["text"]
                    TOLD.add("U0SIMUCARLOS")
                    break
        await eventually(lambda: "U0SIMUCARLOS" in case.judged.strangers, lambda: "the guest was not looked at")
        assert case.judged.state.labels["ahorro"].status == "unjudged"
        await carlos.unreact(CHANNEL, case.reply_ts, EMOJI["ahorro"])


TOLD: set[str] = set()


async def test_undo_withdraws_the_last_gesture(case: Case) -> None:
    await case.luis.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until(lambda state: state.labels["ahorro"].status == "added")
    await case.luis.react(CHANNEL, case.reply_ts, EMOJI["cuenta"])
    await case.until(lambda state: state.labels["cuenta"].status == "added")
    assert await case.luis.command("atencion", "/beto", "deshacer")
    judged = await case.until(lambda state: state.labels["cuenta"].status == "unjudged")
    assert judged.state.labels["ahorro"].status == "added"
    assert await case.luis.command("atencion", "/beto", "undo")
    await case.until(lambda state: state.labels["ahorro"].status == "unjudged")


async def test_an_edited_text_makes_what_was_said_stale_and_the_reply_asks_again(case: Case) -> None:
    await case.luis.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until(lambda state: state.labels["ahorro"].status == "added")
    await case.ana.edit(CHANNEL, case.ts, "ya no pregunto por eso, ¿a qué hora abre la agencia?")
    await case.until(lambda state: not state.judges)
    await case.until_shown("El texto cambió")
    assert len(case.town.store.gestures.history(case.id)) == 1  # kept, and told in the history


async def test_a_deleted_message_keeps_its_counts_and_not_its_text(case: Case) -> None:
    await case.luis.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until(lambda state: state.labels["ahorro"].status == "added")
    await case.ana.delete(CHANNEL, case.ts)
    await eventually(lambda: case.town.store.messages.get(case.id).deleted, lambda: "not deleted")
    assert case.town.store.messages.get(case.id).message.text == ""
    assert len(case.town.store.gestures.history(case.id)) == 1


async def test_fifty_reactions_within_a_second_redraw_the_reply_a_few_times_only(case: Case) -> None:
    """Slack allows about one update a second; all of them must be counted."""
    calls_before = len(case.town.slack.transcript)
    wanted = [label.emoji for label in seed_taxonomy()][:12]
    people = [case.ana, case.luis]
    async with Person(case.town.url, "maria") as maria:
        people.append(maria)
        await asyncio.gather(*(person.react(CHANNEL, case.reply_ts, name) for person in people for name in wanted))
        await case.until(lambda state: sum(len(label.yes) for label in state.labels.values()) == 36)
        await eventually(lambda: is_settled(case.town.store, case.id), lambda: "not drawn")
    updates = [call for call in list(case.town.slack.transcript)[calls_before:] if call.method == "chat.update"]
    assert 1 <= len(updates) <= 4


async def test_a_reaction_that_comes_before_its_message_counts_when_the_message_comes(town: Town, ana: Person) -> None:
    """Events of one moment overtake each other."""
    await ana.command("atencion", "/beto", "unwatch")
    await ana.command("atencion", "/beto", "reacciones mensaje")
    await eventually(lambda: town.store.channels.reactions(CHANNEL) == "message", lambda: "reactions do not count on messages")
    ts = await ana.message("atencion", "me robaron la tarjeta en el bus")
    await ana.react(CHANNEL, ts, EMOJI["fraude"])
    assert await ana.shortcut(CHANNEL, ts, "classify_message")  # only now do we hear of the message itself
    await ana.wait_for_reply("atencion", ts, 20)
    stored = town.store.messages.find(CHANNEL, ts)

    def said() -> tuple[str, ...]:
        return town.store.judged.of(stored.id, seed_taxonomy()).state.labels["fraude"].yes

    await eventually(lambda: said() == ("U0SIMUANA",), lambda: f"fraude was said by {said()}")


async def test_gestures_slack_delivers_twice_or_again_count_once(case: Case) -> None:
    case.town.slack.faults.duplicate_next(new_event_id=True)
    await case.ana.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until_shown("Ahorro")  # the event that tells of the reply's new words is no reaction
    case.town.slack.faults.drop_acks(1)
    await case.ana.react(CHANNEL, case.reply_ts, EMOJI["cuenta"])
    # Each comes twice: only when all four have come is there anything to see.
    await eventually(lambda: len(deliveries(case.town, case.reply_ts)) == 4, lambda: "not all were delivered")
    await case.until(lambda state: state.labels["ahorro"].yes == state.labels["cuenta"].yes == ("U0SIMUANA",))
    assert len(case.town.store.gestures.history(case.id)) == 2


def heard_reactions(town: Town, ts: str) -> set[str]:
    """The emoji on this message of which the bot was told, and acknowledged it."""
    return {each.request["event"]["reaction"] for each in deliveries(town, ts) if each.outcome == "ok"}


def deliveries(town: Town, ts: str) -> list[Transfer]:
    """What told the bot of reactions to this message, and was acknowledged or given up."""
    ended = [each for each in list(town.slack.wire) if each.kind == "event" and each.name == "reaction_added" and each.outcome]
    return [each for each in ended if each.request["event"]["item"]["ts"] == ts]


async def test_the_bots_own_seeded_emoji_say_nothing(town: Town, case: Case) -> None:
    """A channel may have the likely emoji put there for one-tap corrections."""
    assert await case.ana.command("atencion", "/beto", "emoji on")
    try:
        seeded = await a_case(case.town, case.ana, case.luis)

        async def emoji() -> list[dict[str, object]]:
            return (await case.ana.messages(CHANNEL, seeded.ts))[0].get("reactions", [])

        prediction = seeded.judged.prediction
        assert prediction is not None
        scores = prediction.scores
        likely = sorted((name for name in NAMES if scores[name] >= SEED_FROM), key=lambda name: -scores[name])
        wanted = {EMOJI[name] for name in likely[:SEEDS]}
        assert wanted, "the test needs a message of which something is likely"
        deadline = time.monotonic() + 15
        while {each["name"] for each in await emoji()} != wanted:
            assert time.monotonic() < deadline, (await emoji(), wanted)
            await asyncio.sleep(0.05)
        # Slack tells the bot of its own taps, too: only once it has heard of them do they say nothing.
        await eventually(lambda: heard_reactions(town, seeded.ts) == wanted, lambda: "the bot does not hear of its own taps")
        assert seeded.judged.state.judges == ()
        assert town.store.gestures.history(seeded.id) == []
    finally:
        assert await case.ana.command("atencion", "/beto", "emoji off")
    # They still ask, and whoever taps one answers; what people put there themselves is theirs.
    name = str((await emoji())[0]["name"])
    await case.luis.react(CHANNEL, seeded.ts, "no_entry_sign")
    await case.luis.react(CHANNEL, seeded.ts, name)
    label = next(label for label, its in EMOJI.items() if its == name)
    judged = await seeded.until(lambda state: state.labels[label].yes == ("U0SIMULUIS",))
    assert set(judged.state.unknown) == set(NAMES) - {label}
    # Once it is forgotten, they go too: they tell its labels.
    request = case.town.store.erasure.create_request(by="U0SIMUANA", message_id=seeded.id)
    case.town.store.erasure.execute(request)
    deadline = time.monotonic() + 30
    while any("U0SIMUBETO" in each["users"] for each in await emoji()):  # type: ignore[operator]  # of a dict of anything
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    await eventually(lambda: not case.town.store.messages.get(seeded.id).offered, lambda: "they are still noted as put there")


async def test_reactions_on_the_bots_other_posts_are_no_judgement(case: Case) -> None:
    """Its greeting, its questions and its help carry no labels."""
    greeting = ""
    async with asyncio.timeout(15):
        while not greeting:  # the bot greeted the channel when it was invited
            posts = [each for each in await case.ana.messages(CHANNEL) if each.get("bot_id")]
            greeting = next((each["ts"] for each in posts if "¡Hola!" in each["text"]), "")
    await case.ana.react(CHANNEL, greeting, "white_check_mark")
    await case.ana.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])  # once this is counted, the other was heard too
    await case.until(lambda state: state.labels["ahorro"].status == "added")
    assert case.town.store.gestures.message_of(CHANNEL, greeting) is None
    await case.ana.unreact(CHANNEL, greeting, "white_check_mark")


async def test_a_blind_message_shows_its_labels_only_after_somebody_said_their_own(case: Case) -> None:
    """Else people would agree with what they read, and no estimate would be unbiased."""
    shown = predicted(case)
    with case.town.store.database.writing() as connection:
        connection.execute(messages.update().where(messages.c.id == case.id).values(blind=True))
    await case.luis.react(CHANNEL, case.reply_ts, "white_check_mark")  # to what? it says nothing
    await case.until_shown("¿Qué etiquetas lleva este mensaje?")
    assert "%" not in await case.reply()
    assert case.judged.state.judges == ()
    view = await filled_modal(case.ana, lambda: case.ana.action("labels_edit", channel=CHANNEL, ts=case.reply_ts))
    assert "initial_options" not in str(view["blocks"])
    await case.ana.react(CHANNEL, case.reply_ts, EMOJI["ahorro"])
    await case.until_shown("lo añade <@U0SIMUANA>")
    assert "%" in await case.reply()
    await case.luis.unreact(CHANNEL, case.reply_ts, "white_check_mark")
    await case.luis.react(CHANNEL, case.reply_ts, "white_check_mark")  # now it says something
    await case.until(lambda state: "U0SIMULUIS" in state.labels[shown[0]].yes)
    first, prediction = next(iter(case.town.store.judged.said_blind(seed_taxonomy())))
    assert {name for name, label in first.labels.items() if label.applies} == {"ahorro"}
    assert prediction.labels == shown
    with case.town.store.database.writing() as connection:
        connection.execute(messages.update().where(messages.c.id == case.id).values(blind=False))
