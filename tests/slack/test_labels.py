"""`/beto etiquetas`: a team's own labels, made and changed in Slack's own screens; over the wire."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.person import Person
from bot.views import label_blocks
from model.judgements import Gesture, Kind
from model.labels import LabelEvent, seed_taxonomy
from model.schema import Card, Cuts, Message, Scores, Source
from model.serving.version_folder import write_card
from model.store.label_questions import LabelQuestion
from model.store.store import Store
from model.store.tables import outbox
from tests.slack.connected import connected, grow
from tests.slack.dispatching import PERSON, TEAM, a_context, dispatcher, store, surfaces
from tests.town import SimulatorThread, until

__all__ = ["store"]

GENERAL = "C0SIMUGENERAL"
# May retrain, and so may change labels, where nothing else is set (see `a_context`).
EDITOR, OTHER = "luis", "ana"

View = dict[str, Any]


@pytest.fixture
def team(slack: SimulatorThread, store: Store, tmp_path: Path) -> Iterator[SimulatorThread]:
    """A workspace where the bot listens."""
    with connected(slack, store, tmp_path, []):
        yield slack


class Screens:
    """What one person sees of the modals, and does in them."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.changes = person.changes()

    async def shown(self, fits: Callable[[View], bool]) -> View:
        """The next modal that is shown or shown anew, and fits."""
        change = await until(self.changes, lambda change: change["type"] == "view" and fits(change["view"]))
        return dict(change["view"])

    async def open(self) -> View:
        assert await self.person.command("general", "/beto", "etiquetas")
        return await self.shown(is_list)

    async def press(self, view: View, action: str, *, block: str, value: str) -> None:
        """A button."""
        assert await self.person.action(action, view_id=view["id"], block_id=block, value=value)

    async def choose(self, view: View, act: str, name: str) -> None:
        """An entry of a label's menu."""
        chosen = {"selected_option": {"value": f"{act}:{name}"}}
        assert await self.person.action(label_blocks.MENU, view_id=view["id"], block_id=f"label:{name}", **chosen)

    async def form(self, view: View, act: str, name: str) -> View:
        """The form, or the question, that an entry of a label's menu opens."""
        await self.choose(view, act, name)
        return await self.shown(lambda shown: not is_list(shown))

    async def submit(self, view: View, **typed: str) -> View:
        """The list, once the form is saved."""
        assert await self.person.view_submit(view["id"], {name: {name: {"value": value}} for name, value in typed.items()})
        return await self.shown(is_list)


def is_list(view: View) -> bool:
    return any(str(block.get("block_id", "")).startswith("label:") for block in view["blocks"])


def row(view: View, name: str) -> str:
    [block] = [block for block in view["blocks"] if block.get("block_id") == f"label:{name}"]
    return str(block["text"]["text"])


def buttons(view: View, action: str) -> dict[str, tuple[str, str]]:
    """(block, value) of the buttons with this action, by what stands beside them."""
    return {
        block["text"]["text"]: (block["block_id"], block["accessory"]["value"])
        for block in view["blocks"]
        if block.get("accessory", {}).get("action_id") == action
    }


def as_editor(team: SimulatorThread, act: Callable[[Screens], Awaitable[None]], user: str = EDITOR) -> None:
    async def visit(person: Person) -> None:
        await act(Screens(person))

    team.as_person(user, visit)


def test_a_label_is_added_and_stands_in_the_list(team: SimulatorThread, store: Store) -> None:
    """What a team lead looks for first; the name is made from the title, and examples are masked as all that people write."""

    async def add(screens: Screens) -> None:
        view = await screens.open()
        [actions] = [block for block in view["blocks"] if block["type"] == "actions"]
        await screens.press(view, label_blocks.ADD_BUTTON, block=actions["block_id"], value="")
        form = await screens.shown(lambda shown: shown.get("callback_id") == label_blocks.LABEL_VIEW)
        listed = await screens.submit(
            form,
            title="Cheques y chequeras",
            emoji="📝",
            description="Cheques.",
            examples="Perdí mi chequera\n\nescriban a a@b.ec",
        )
        assert row(listed, "cheques_y_chequeras").startswith(":pencil: *Cheques y chequeras*\nCheques.")

    as_editor(team, add)
    label = store.labels.current()["cheques_y_chequeras"]
    assert (label.emoji, label.title_en) == ("pencil", "Cheques y chequeras")
    assert label.examples[0] == "Perdí mi chequera"
    assert "a@b.ec" not in label.examples[1]


def test_a_label_is_changed_and_keeps_its_name(team: SimulatorThread, store: Store) -> None:
    """Its history hangs on the name; what the form does not ask for stays."""

    async def change(screens: Screens) -> None:
        form = await screens.form(await screens.open(), "change", "app")
        listed = await screens.submit(form, title="Aplicación", emoji=":calling:", description="")
        assert row(listed, "app") == ":calling: *Aplicación*"

    as_editor(team, change)
    assert store.labels.current()["app"].title == "Aplicación"
    assert store.labels.current().names == seed_taxonomy().names


def test_retiring_says_what_it_touches_and_is_undone_by_a_tap(team: SimulatorThread, store: Store) -> None:
    """A slip costs nothing."""
    message = Message(channel=GENERAL, ts="1.1", user="U0SIMUANA", text="es urgente", source=Source.CHANNEL)
    store.messages.save(message)
    for number, withdrawn in ((1, False), (2, False), (2, True)):
        said = Gesture(
            user="U0SIMUANA", handle=f"h{number}", at=number, kind=Kind.LABEL, labels=("urgente",), withdrawn=withdrawn
        )
        store.gestures.add(said, channel=GENERAL, item_ts=f"1.{number}")

    async def retire(screens: Screens) -> None:
        question = await screens.form(await screens.open(), "retire", "urgente")
        assert "ustedes la pusieron en 1." in question["blocks"][1]["text"]["text"]
        listed = await screens.submit(question)
        assert "urgente" not in store.labels.current()
        told, [(block, value)] = zip(*buttons(listed, label_blocks.UNDO_BUTTON).items(), strict=True)
        assert told == (f"<@{PERSON}> retiró «Urgente»",)
        await screens.press(listed, label_blocks.UNDO_BUTTON, block=block, value=value)
        back = await screens.shown(is_list)
        assert "Urgente" in row(back, "urgente")
        assert not buttons(back, label_blocks.UNDO_BUTTON)

    as_editor(team, retire)
    assert store.labels.current().labels == seed_taxonomy().labels


def test_a_retired_label_comes_back_without_an_emoji_that_another_has(team: SimulatorThread, store: Store) -> None:
    """It can be brought back whatever happened since."""
    store.labels.record(LabelEvent(kind="retire", name="urgente", at=1, by="command line"))
    app = seed_taxonomy()["app"].model_copy(update={"emoji": "alarm_clock"})
    store.labels.record(LabelEvent(kind="change", name="app", label=app, at=2, by="command line"))

    async def restore(screens: Screens) -> None:
        view = await screens.open()
        [(block, value)] = buttons(view, label_blocks.RESTORE_BUTTON).values()
        await screens.press(view, label_blocks.RESTORE_BUTTON, block=block, value=value)
        assert row(await screens.shown(is_list), "urgente").startswith("*Urgente*")

    as_editor(team, restore)


def test_labels_are_merged_and_moved(team: SimulatorThread, store: Store) -> None:
    async def merge(screens: Screens) -> None:
        view = await screens.open()
        question = await screens.form(view, "merge", "comision")
        options = next(block for block in question["blocks"] if block["type"] == "input")["element"]["options"]
        assert "comision" not in {option["value"] for option in options}
        chosen = {"labels": {"labels": {"type": "static_select", "selected_option": {"value": "cuenta"}}}}
        assert await screens.person.view_submit(question["id"], chosen)
        listed = await screens.shown(is_list)
        await screens.choose(listed, "up", "tarjeta")
        await screens.shown(is_list)

    as_editor(team, merge)
    taxonomy = store.labels.current()
    assert taxonomy.renamed == {"comision": "cuenta"}
    assert taxonomy.names[:2] == ("tarjeta", "reclamo")


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"title": "app Y WEB", "emoji": ""}, "title", "Ya hay una etiqueta"),
        ({"title": "Nueva", "emoji": "iphone"}, "emoji", "ya es el de «App y web»"),
        ({"title": "Nueva", "emoji": "✅"}, "emoji", "ya significa otra cosa"),
        ({"title": "Nueva", "emoji": "dos palabras"}, "emoji", "un solo emoji"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_lost(
    team: SimulatorThread, store: Store, typed: dict[str, str], field: str, told: str
) -> None:
    """The form stays open with all that was typed."""

    async def add(screens: Screens) -> None:
        form = await screens.form(await screens.open(), "change", "cuenta")
        assert await screens.person.view_submit(form["id"], {name: {name: {"value": value}} for name, value in typed.items()})
        errors = await until(screens.changes, lambda change: change["type"] == "view_errors")
        assert told in errors["errors"][field]

    as_editor(team, add)
    assert store.labels.events() == []


def test_emoji_that_the_operator_chose_are_shown_and_never_recorded(
    slack: SimulatorThread, migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label's own emoji comes back with an empty setting, whatever else of the label was changed meanwhile."""
    monkeypatch.setenv("BETO_LABEL_EMOJI", "tarjeta=visa,app=")
    monkeypatch.setenv("BETO_SIGNS", "wrong=no_good")
    (tmp_path / "beto.db").write_bytes(migrated_file.read_bytes())
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path, label_emoji={"tarjeta": "visa", "app": ""})

    async def change(screens: Screens) -> None:
        view = await screens.open()
        assert ":visa:" in row(view, "tarjeta")
        assert ":iphone:" not in row(view, "app")
        form = await screens.form(view, "change", "tarjeta")
        for emoji, told in (("key", "BETO_LABEL_EMOJI"), ("credit_card", "")):
            values = {"title": {"title": {"value": "Tarjetas"}}, "emoji": {"emoji": {"value": emoji}}}
            assert await screens.person.view_submit(form["id"], values)
            if told:
                errors = await until(screens.changes, lambda change: change["type"] == "view_errors")
                assert told in errors["errors"]["emoji"]
        listed = await screens.shown(is_list)
        form = await screens.form(listed, "change", "cuenta")
        for emoji, told in (("visa", "ya es el de «Tarjetas»"), ("no_good", "ya significa otra cosa")):
            values = {"title": {"title": {"value": "Cuenta"}}, "emoji": {"emoji": {"value": emoji}}}
            assert await screens.person.view_submit(form["id"], values)
            errors = await until(screens.changes, lambda change: change["type"] == "view_errors")
            assert told in errors["errors"]["emoji"]

    with connected(slack, store, tmp_path, []):
        as_editor(slack, change)
    [(_, event)] = store.labels.events()
    assert event.label is not None
    assert (event.label.title, event.label.emoji) == ("Tarjetas", "credit_card")
    assert store.labels.current()["tarjeta"].emoji == "visa"
    assert store.labels.recorded()["tarjeta"].emoji == "credit_card"
    store.close()


def test_whoever_may_not_sees_the_labels_and_no_buttons(team: SimulatorThread, store: Store) -> None:
    """Labels are everybody's to read; a click of a screen that was opened before a right was lost changes nothing."""

    async def look(screens: Screens) -> None:
        view = await screens.open()
        assert "Tarjetas de débito" in row(view, "tarjeta")
        assert not any("accessory" in block or block["type"] == "actions" for block in view["blocks"])
        assert any("BETO_LABEL_EDITORS" in str(block) for block in view["blocks"])

    as_editor(team, look, OTHER)


@pytest.mark.parametrize("trainers", ["U0SIMUANA", ""], ids=["somebody else is named", "nobody is named"])
async def test_who_lost_the_right_changes_nothing_by_a_form_that_is_still_open(
    slack: SimulatorThread, store: Store, tmp_path: Path, trainers: str
) -> None:
    """Rights are asked for at each change, not when the screen was opened."""
    context = a_context(slack, store, tmp_path, [], trainers=trainers)
    send = dispatcher(slack, store, tmp_path, [], context=context)
    for name, body in surfaces(TEAM).items():
        if name.startswith(("label", "labels")):
            await send(body | {"view": body["view"] | {"private_metadata": '{"label": "app"}'}} if "view" in body else body)
    assert store.labels.events() == []


def test_four_hundred_labels_can_be_looked_at(slack: SimulatorThread, store: Store, tmp_path: Path) -> None:
    """Slack refuses a modal with more than a hundred blocks."""
    grow(store, 400)

    async def look(screens: Screens) -> None:
        view = await screens.open()
        assert len(view["blocks"]) <= 100
        assert any("320 más" in str(block) for block in view["blocks"])
        question = await screens.form(view, "merge", "app")
        element = next(block for block in question["blocks"] if block["type"] == "input")["element"]
        assert element["type"] == "external_select"
        assert await screens.person.suggest("labels", "tema 399", view_id=question["id"], block_id="labels")

    with connected(slack, store, tmp_path, []):
        as_editor(slack, look)


def test_what_matters_more_of_a_label_is_chosen_with_what_it_costs(team: SimulatorThread, store: Store) -> None:
    """Whoever must not miss a fraud sees what that costs before, and in the list afterwards; everybody can take it back."""
    cuts = {"carrying": 20, **{each: {"threshold": 0.4, "found": 16, "given": 18} for each in ("balance", "precision")}}
    cuts["recall"] = {"threshold": 0.2, "found": 19, "given": 27}
    publish_card(store, {"fraude": Cuts.model_validate(cuts)})

    async def prefer(screens: Screens) -> None:
        view = await screens.open()
        form = await screens.form(view, "change", "fraude")
        [element] = [block["element"] for block in form["blocks"] if block.get("block_id") == label_blocks.PREFER]
        told = {option["value"]: option["description"]["text"] for option in element["options"]}
        assert told["recall"] == "Encuentra 95 de 100; son ciertos 70 de cada 100 avisos"
        assert element["initial_option"]["value"] == "balance"
        chosen = {label_blocks.PREFER: {label_blocks.PREFER: {"selected_option": {"value": "recall"}}}}
        assert await screens.person.view_submit(form["id"], chosen)
        listed = await screens.shown(is_list)
        assert "encuentra 95 de 100 en vez de 80; son ciertos 70 de cada 100 avisos en vez de 89" in row(listed, "fraude")
        form = await screens.form(listed, "change", "app")  # what the version does not know how to move
        chosen = {label_blocks.PREFER: {label_blocks.PREFER: {"selected_option": {"value": "precision"}}}}
        assert await screens.person.view_submit(form["id"], chosen)
        assert "vale desde el próximo reentrenamiento" in row(await screens.shown(is_list), "app")

    as_editor(team, prefer)
    assert store.labels.current().preferences(["fraude", "app", "cuenta"]) == {"fraude": "recall", "app": "precision"}
    assert len(store.labels.undoable()) == 2


def test_a_preference_from_the_settings_is_shown_and_stays_one(
    slack: SimulatorThread, migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changes a label's title has said nothing of what matters more; who chooses a balance has."""
    monkeypatch.setenv("BETO_PREFER_RECALL", "fraude")
    (tmp_path / "beto.db").write_bytes(migrated_file.read_bytes())
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path, preferences={"fraude": "recall"})

    async def change(screens: Screens) -> None:
        view = await screens.open()
        assert "Que no se escape ninguno" in row(view, "fraude")
        form = await screens.form(view, "change", "fraude")
        listed = await screens.submit(form, title="Fraude y robo")
        assert store.labels.recorded()["fraude"].prefer == ""
        form = await screens.form(listed, "change", "fraude")
        chosen = {label_blocks.PREFER: {label_blocks.PREFER: {"selected_option": {"value": "balance"}}}}
        assert await screens.person.view_submit(form["id"], chosen)
        assert "escape" not in row(await screens.shown(is_list), "fraude")

    with connected(slack, store, tmp_path, []):
        as_editor(slack, change)
    assert store.labels.current()["fraude"].prefer == "balance"
    store.close()


def publish_card(store: Store, cuts: dict[str, Cuts]) -> None:
    """A live version, of which only the card is looked at."""
    scores = Scores(texts=0, jaccard=0, micro_f1=0, macro_f1=0, exact_match=0, per_label={})
    card = Card(
        base="mini", labels=tuple(cuts), thresholds=dict.fromkeys(cuts, 0.4), seed=0, settings={}, data_sha256="", texts={},
        scores={"dev": scores}, baseline={}, seconds=0, created_at="", code_version="", cuts=cuts,
    )  # fmt: skip
    built = store.registry.run_directory(0) / "version"
    built.mkdir(parents=True)
    write_card(built, card)
    store.registry.promote(store.registry.add(built, card).number, by="test", reason="a test needs it")


def test_a_team_begins_with_its_own_labels_from_nothing_and_may_take_it_back(team: SimulatorThread, store: Store) -> None:
    """The first question of whoever is no bank; the shipped labels come back with one tap, beside their own."""

    async def begin(screens: Screens) -> None:
        view = await screens.open()
        assert "¿Las etiquetas de un banco, o las de ustedes?" in str(view["blocks"][0])
        await screens.press(view, label_blocks.OWN_BUTTON, block=view["blocks"][1]["block_id"], value="")
        empty = await screens.shown(lambda shown: "Todavía no hay etiquetas" in str(shown))
        assert store.labels.current().names == ()
        [actions] = [block for block in empty["blocks"] if block["type"] == "actions"]
        await screens.press(empty, label_blocks.ADD_BUTTON, block=actions["block_id"], value="")
        form = await screens.shown(lambda shown: shown.get("callback_id") == label_blocks.LABEL_VIEW)
        listed = await screens.submit(form, title="Nómina", description="Sueldos.", group="  Personas ")
        assert row(listed, "nomina") == "*Nómina*\nSueldos."
        assert "*Personas*" in str(listed["blocks"])
        assert "¿Las etiquetas de un banco" not in str(listed)
        block, value = buttons(listed, label_blocks.UNDO_BUTTON)[f"<@{PERSON}> empezó con etiquetas propias, desde cero"]
        await screens.press(listed, label_blocks.UNDO_BUTTON, block=block, value=value)
        await screens.shown(lambda shown: is_list(shown) and "Fraude" in str(shown))

    as_editor(team, begin)
    assert store.labels.current().names == (*seed_taxonomy().names, "nomina")
    assert store.labels.current()["nomina"].group == "Personas"


def test_who_keeps_the_shipped_labels_is_not_asked_again(team: SimulatorThread, store: Store) -> None:
    async def keep(screens: Screens) -> None:
        view = await screens.open()
        await screens.press(view, label_blocks.BANK_BUTTON, block=view["blocks"][1]["block_id"], value="")
        await screens.shown(lambda shown: is_list(shown) and "¿Las etiquetas de un banco" not in str(shown))

    as_editor(team, keep)
    assert store.labels.current().labels == seed_taxonomy().labels


def test_the_guide_tells_when_a_label_applies_with_good_and_bad_examples(team: SimulatorThread, store: Store) -> None:
    """Two people agree on what they have read the same sentence about; it is read without leaving the choice."""
    told = seed_taxonomy()["fraude"].model_copy(update={"examples": ("me clonaron",), "counterexamples": ("¿es seguro?",)})
    store.labels.record(LabelEvent(kind="change", name="fraude", label=told, at=1, by="command line"))

    async def read(screens: Screens) -> None:
        assert await screens.person.command("general", "/beto", "guía fraude")
        one = await screens.shown(lambda shown: "«me clonaron»" in str(shown))
        assert len(one["blocks"]) == 1
        assert ":x: «¿es seguro?»" in str(one)
        assert await screens.person.command("general", "/beto", "guía zzz")
        every = await screens.shown(lambda shown: "No hay ninguna etiqueta como «zzz»" in str(shown))
        assert str(every).count("*") >= 2 * len(seed_taxonomy())

    as_editor(team, read)


def test_members_choose_what_a_channel_uses_and_it_is_told_there(team: SimulatorThread, store: Store) -> None:
    async def choose(screens: Screens) -> None:
        assert await screens.person.command("general", "/beto", "etiquetas canal")
        form = await screens.shown(lambda shown: shown.get("callback_id") == label_blocks.CHANNEL_VIEW)
        chosen = {"labels": {"labels": {"type": "multi_static_select", "selected_options": [{"value": "app"}]}}}
        assert await screens.person.view_submit(form["id"], chosen)
        assert await screens.person.command("general", "/beto", "labels channel")
        again = await screens.shown(lambda shown: "initial_options" in str(shown))
        assert [each["value"] for each in again["blocks"][1]["element"]["initial_options"]] == ["app"]

    as_editor(team, choose, OTHER)
    assert store.channels.labels(GENERAL) == ("app",)
    with store.database.reading() as connection:
        [told] = [row for row in connection.execute(outbox.select()) if row.kind == "announcement"]
    assert told.content == {"text": "labels.told_channel", "values": {"user": "<@U0SIMUANA>", "labels": "App y web"}}


def test_what_the_labels_suggest_is_asked_of_whoever_may_read_it_and_answered_once(team: SimulatorThread, store: Store) -> None:
    """A question, never a change: yes opens the form that would do it; words of a channel stay with its readers."""
    for number, channel in ((1, GENERAL), (2, "G0SECRETO")):
        message = Message(channel=channel, ts=f"1.{number}", user="U0SIMUANA", text=f"impresora {number}", source=Source.CHANNEL)
        store.messages.save(message)
    found = [
        LabelQuestion(kind="together", labels=("cuenta", "acceso"), share=0.95),
        LabelQuestion(kind="cluster", words=("impresora",), messages=(1,)),
        LabelQuestion(kind="cluster", words=("secreto",), messages=(2,)),
    ]
    assert store.label_questions.ask("2026-11", found) == 3

    async def answer(screens: Screens) -> None:
        view = await screens.open()
        assert "«Cuenta» y «Acceso» van casi siempre juntas" in str(view)
        assert "secreto" not in str(view)
        await screens.press(view, label_blocks.NO_BUTTON, block="asked:2", value="2")
        left = await screens.shown(lambda shown: is_list(shown) and "casi siempre juntas" not in str(shown))
        await screens.press(left, label_blocks.YES_BUTTON, block="asked:3", value="3")
        form = await screens.shown(lambda shown: shown.get("callback_id") == label_blocks.LABEL_VIEW)
        listed = await screens.submit(form, title="Impresoras", examples="impresora 1")
        assert "hablan de lo mismo" not in str(listed)

    as_editor(team, answer)
    assert store.labels.current()["impresoras"].examples == ("impresora 1",)
    assert [question.words for _, question in store.label_questions.open()] == [("secreto",)]
