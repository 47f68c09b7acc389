"""What somebody wants forgotten is gone everywhere, and what was kept long enough goes by itself."""

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bot.simulator.errors import Json
from bot.simulator.person import Person
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import SPLITS
from model.learning.retraining import _frozen_snapshot, snapshot
from model.schema import Example, Message, Prediction, Source
from model.store.database import now
from model.store.erasure import ErasureService
from model.store.outbox_row import reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import messages, versions
from model.text_key import text_key
from tests.outbox_rows import answer
from tests.slack.cases import CHANNEL, a_case, eventually
from tests.store.rows import everything
from tests.town import Town, until

SECRET = "Mi vecina Filomena Zurita perdió la clave del cajero de Guamaní"


def write(store: Store, ts: str, user: str, text: str) -> int:
    """A message that was predicted and answered, the reply's ts being its own and a half."""
    message_id, _ = store.messages.save(Message(channel="C1", ts=ts, user=user, text=text, source=Source.CHANNEL))
    scores = dict.fromkeys(seed_taxonomy().names, 0.1)
    store.predictions.save([NewPrediction(message_id, 1, Prediction(version=1, base="mini", scores=scores, labels=()), 0.1)])
    answer(store, message_id, f"{ts}5")
    return message_id


def judge(store: Store, user: str, ts: str, at: int = 5, note: str | None = None) -> None:
    gesture = Gesture(user=user, handle=f"modal/{user}/{ts}", at=at, kind=Kind.SET, labels=("cajero",), via="modal")
    store.gestures.add(gesture, channel="C1", item_ts=ts, note=note)


def learn(store: Store, home: Path, *, finished: bool = True) -> tuple[int, dict[str, list[Example]]]:
    """A run whose snapshot is frozen; with a version that is kept, where it is `finished`."""
    run_id, _ = store.runs.open("U9")
    run_directory = store.registry.run_directory(run_id)
    data = _frozen_snapshot(store, run_directory, run_id)
    if finished:
        store.runs.start(run_id, "test")
        store.runs.close(run_id, "test", "done")
        with store.database.writing() as connection:
            row = versions.insert().values(number=run_id, folder=f"v{run_id}", card={}, created_at=now(), run_id=run_id)
            connection.execute(row)
    return run_id, {str(split): examples for split, examples in data.items()}


def texts_of(data: dict[str, list[Example]]) -> set[str]:
    return {example.text for examples in data.values() for example in examples}


def test_a_forgotten_message_leaves_nothing_that_was_said(store: Store) -> None:
    """Its author was promised that text, predictions and judgements go, notes and imports of the same words too."""
    message_id = write(store, "1.1", "U1", SECRET)
    judge(store, "U2", "1.1", note="dice Filomena que urge")
    judge(store, "U3", "1.15")
    store.examples.save([(text_key(SECRET), Example(text=SECRET, labels=("cajero",)))])
    snapshot(store)
    assert text_key(SECRET) in store.examples.splits()
    erasure = store.erasure
    done, touched = erasure.execute(erasure.create_request(by="U1", message_id=message_id))
    assert (done.messages, done.judgements, touched) == (1, 2, [message_id])
    kept = everything(store)
    assert "Filomena" not in kept
    assert "'cajero'" not in kept.replace('"', "'")
    assert text_key(SECRET) not in kept
    assert store.predictions.all_of(message_id) == []
    claim = store.outbox.claim(reply_key(message_id), "test", 60)
    assert claim is not None
    assert (claim.message.deleted, claim.row.ts) == (True, "1.15")  # the reply in Slack goes next
    assert store.messages.save(Message(channel="C1", ts="1.1", user="U1", text=SECRET, source=Source.CHANNEL)) == (
        message_id,
        False,
    )
    assert "Filomena" not in everything(store)


def test_a_forgotten_text_cannot_be_read_off_the_file(tmp_path: Path) -> None:
    """Whoever copies the SQLite file, with its journal, must not find what was promised to be gone."""
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    for n in range(20):
        write(store, f"1.{n}1", "U1", f"{SECRET} {n} " * 100)
    assert any(b"Filomena" in file.read_bytes() for file in tmp_path.iterdir())
    store.erasure.execute(store.erasure.create_request(by="U1", user="U1"))
    for file in tmp_path.iterdir():
        assert b"Filomena" not in file.read_bytes(), file.name
    store.close()


def test_all_of_a_person_goes_and_nobody_elses(store: Store) -> None:
    """Texts, judgements and what is known of them; others' messages are drawn again without them."""
    own = [write(store, f"1.{n}1", "U1", f"{SECRET} número {n}") for n in range(3)]
    other = write(store, "2.1", "U2", "No puedo entrar a la app")
    judge(store, "U1", "2.1")
    judge(store, "U1", "2.15", at=6)
    judge(store, "U3", "2.1")
    store.people.save("U1", may_judge=True, expert=False)
    erasure = store.erasure
    assert erasure.extent("U1") == (3, 2)
    done, touched = erasure.execute(erasure.create_request(by="U1", user="U1"))
    assert (done.messages, done.judgements) == (3, 2)
    assert set(touched) == {*own, other}
    assert erasure.extent("U1") == (0, 0)
    assert "Filomena" not in everything(store)
    judged = store.judged.of(other, seed_taxonomy())
    assert judged is not None
    assert judged.state.judges == ("U3",)


def test_what_died_half_way_is_forgotten_to_its_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promise of this kind must not depend on a process that lives."""
    for n in range(5):
        write(store, f"1.{n}1", "U1", f"{SECRET} {n}")
    judge(store, "U1", "1.01")
    erasure = store.erasure
    request = erasure.create_request(by="U1", user="U1")
    erase, erased = ErasureService._erase, []

    def dies(self: ErasureService, request_id: int, message_id: int) -> set[str]:
        if len(erased) == 2:
            raise SystemExit
        erased.append(message_id)
        return erase(self, request_id, message_id)

    monkeypatch.setattr(ErasureService, "_erase", dies)
    with pytest.raises(SystemExit):
        erasure.execute(request)
    monkeypatch.undo()
    assert "Filomena" in everything(store)
    assert erasure.pending() == []  # who was asked may still be at it
    with store.database.writing() as connection:
        from model.store.tables import erasure_requests

        connection.execute(erasure_requests.update().values(requested_at=now() - timedelta(minutes=2)))
    assert erasure.pending() == [request]
    done, _ = erasure.execute(request)
    assert (done.messages, done.judgements) == (5, 1)
    assert "Filomena" not in everything(store)
    assert erasure.pending() == []


def test_the_versions_that_learnt_from_it_are_named(store: Store, tmp_path: Path) -> None:
    """Weights do not forget: people must know which ones still hold it, by author and by judge, imported or not."""
    first = write(store, "1.1", "U1", SECRET)
    judge(store, "U2", "1.1")
    one, data = learn(store, tmp_path)
    assert SECRET in texts_of(data)
    write(store, "1.2", "U4", "Quiero abrir una cuenta de ahorros para mi hija")
    judge(store, "U5", "1.25")
    two, _ = learn(store, tmp_path)
    third = write(store, "1.3", "U6", "La página web no carga desde ayer y no puedo pagar el arriendo")
    store.examples.save([(text_key("La app se cierra sola"), Example(text="La app se cierra sola", labels=()))])
    sides = store.examples.splits()
    erasure = store.erasure

    def named(**what: object) -> tuple[int, ...]:
        return erasure.execute(erasure.create_request(by="U1", **what))[0].versions  # type: ignore[arg-type]  # of many kinds

    taught = [split for split in ("train", "dev") if SECRET in {each.text for each in data[split]}]
    assert taught, f"the example must fall on a side that is learnt from, not on {sides[text_key(SECRET)]}"
    assert named(message_id=third) == ()
    assert named(user="U5") == (two,)
    assert named(user="U2") == (one, two)
    assert named(message_id=first) == (one, two)


def test_a_frozen_snapshot_forgets_too_and_the_running_training_is_named(store: Store, tmp_path: Path) -> None:
    """A run that is taken up again days later must not train on what was forgotten meanwhile."""
    message_id = write(store, "1.1", "U1", SECRET)
    judge(store, "U2", "1.1")
    imported = "Filomena quiere un préstamo para su moto"
    store.examples.save([(text_key(imported), Example(text=imported, labels=("prestamo",)))])
    run_id, data = learn(store, tmp_path, finished=False)
    assert {SECRET, imported} <= texts_of(data)
    same = write(store, "1.2", "U1", imported)
    erasure = store.erasure
    done, _ = erasure.execute(erasure.create_request(by="U1", message_id=message_id))
    assert (done.versions, done.training) == ((), True)
    done, _ = erasure.execute(erasure.create_request(by="U1", message_id=same))
    assert done.training
    run_directory = store.registry.run_directory(run_id)
    again = _frozen_snapshot(store, run_directory, run_id)
    assert "Filomena" not in str(again)
    assert not any("Filomena" in (run_directory / f"{split}.jsonl").read_text(encoding="utf-8") for split in SPLITS)
    assert len(texts_of({str(split): each for split, each in again.items()})) == len(texts_of(data)) - 2


def test_texts_are_kept_as_long_as_the_workspace_wants(store: Store) -> None:
    """Thirty days by default; what people corrected is what the model learns from, and stays until told otherwise."""
    old, judged, fresh, edited = (
        write(store, ts, "U1", f"{SECRET} {ts}") for ts in ("1.1", "1.2", "1.3", "1.4")
    )  # fmt: skip
    judge(store, "U2", "1.25", note="de Filomena")
    with store.database.writing() as connection:
        long_ago = now() - timedelta(days=40)
        connection.execute(messages.update().where(messages.c.id.in_([old, judged, edited])).values(received_at=long_ago))
        yesterday = (now() - timedelta(days=1)).timestamp()
        connection.execute(messages.update().where(messages.c.id == edited).values(edited_at=int(yesterday * 1e6)))
    retention = store.retention

    def kept() -> set[int]:
        with store.database.reading() as connection:
            return set(connection.execute(messages.select().where(messages.c.text != "")).scalars())

    assert retention.expire(0, 0) == 0
    assert retention.expire(30, 0, batch=1) == 1
    assert kept() == {judged, fresh, edited}
    assert store.outbox.reply_ts(old) == "1.15"  # labels stay, and so does the reply
    assert len(store.predictions.all_of(old)) == 1
    assert store.messages.counts()["reply"] == 0 + 1  # only the one that was just judged
    retention.choose(corrected_days=35)
    assert retention.expire(30, 0) == 1
    assert kept() == {fresh, edited}
    assert "de Filomena" not in everything(store)
    assert retention.kept_days(30, 0) == (30, 35)


def test_erasure_waits_for_nothing_newer_to_retrain(store: Store) -> None:
    """Runs count new judgements; those that are gone must not have to be given again first."""
    for n in range(4):
        write(store, f"1.{n}1", "U1", f"{SECRET} {n}")
        judge(store, "U2", f"1.{n}1")
    runs = store.runs
    run_id, _ = runs.open("U9")
    runs.start(run_id, "test")
    runs.note_version(run_id, "test", 1, 10)
    runs.close(run_id, "test", "done")
    store.erasure.execute(store.erasure.create_request(by="U2", user="U2"))
    write(store, "3.1", "U1", "hola")
    judge(store, "U3", "3.1")
    assert runs.new_judgements() == 1


# In Slack


@pytest.fixture
async def luis(town: Town) -> AsyncIterator[Person]:
    async with Person(town.url, "luis") as person:
        yield person


def shown(change: Json) -> str:
    return str(change.get("view") or change.get("message") or "")


async def test_a_person_has_a_message_forgotten_after_being_asked(town: Town, ana: Person, luis: Person) -> None:
    """The question first; then text and reply are gone and the modal says what of."""
    await ana.command("atencion", "/beto", "watch")
    case = await a_case(town, ana, luis, SECRET)
    link = f"https://simulador.slack.com/archives/{CHANNEL}/p{case.ts.replace('.', '')}"
    with closing(ana.changes()) as changes:
        await ana.command("atencion", "/beto", f"olvida {link}")
        asked = await until(changes, lambda change: "¿Olvido" in shown(change))
        assert SECRET in everything(town.store)  # asked, not done
        await ana.view_submit(asked["view"]["id"])
        await until(changes, lambda change: "Olvidado: 1 mensaje y" in shown(change))
    assert SECRET not in everything(town.store)
    await eventually(lambda: town.store.outbox.reply_ts(case.id) is None, lambda: "the reply still stands")
    assert case.reply_ts not in {each["ts"] for each in await ana.messages(CHANNEL, case.ts)}


async def test_only_ones_own_words_may_be_forgotten_without_a_right(town: Town, ana: Person, luis: Person) -> None:
    """Else anybody could wipe out what a colleague wrote."""
    await ana.command("atencion", "/beto", "watch")
    case = await a_case(town, ana, luis, "No me llega el estado de cuenta")
    link = f"https://simulador.slack.com/archives/{CHANNEL}/p{case.ts.replace('.', '')}"
    with closing(luis.changes()) as changes:
        for what in (link, "@ana"):
            await luis.command("atencion", "/beto", f"olvida {what}")
            await until(changes, lambda change: "Cada quien puede pedir" in shown(change))
        await luis.command("atencion", "/beto", "olvida mis mensajes")
        await until(changes, lambda change: "No guardo nada de <@U0SIMULUIS>" in shown(change) or "¿Olvido" in shown(change))
        await luis.command("atencion", "/beto", "conserva 10")
        await until(changes, lambda change: "Solo puede hacerlo" in shown(change))
    assert "No me llega el estado" in everything(town.store)


async def test_an_admin_may_have_a_person_forgotten_and_choose_how_long_texts_are_kept(
    town: Town, ana: Person, luis: Person
) -> None:
    """Somebody has left, and asks by letter; whoever administers the workspace does it."""
    await ana.command("atencion", "/beto", "watch")
    written = await luis.message("atencion", SECRET)
    await luis.wait_for_reply("atencion", written, 30)
    with closing(ana.changes()) as changes:
        await ana.command("atencion", "/beto", "olvida @luis")
        asked = await until(changes, lambda change: "¿Olvido todo lo de <@U0SIMULUIS>" in shown(change))
        await ana.view_submit(asked["view"]["id"])
        await until(changes, lambda change: "Olvidado:" in shown(change))
        assert "Filomena" not in everything(town.store)
        await ana.command("atencion", "/beto", "conserva corregidos 365")
        await until(changes, lambda change: "30 días. Los corregidos: 365 días" in shown(change))
        await ana.command("atencion", "/beto", "conserva corregidos siempre")
        await until(changes, lambda change: "30 días. Los corregidos: nunca" in shown(change))
