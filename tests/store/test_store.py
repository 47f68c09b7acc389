"""The store's rules, each on SQLite and on PostgreSQL."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from model.errors import BadSetting, StoreUnavailable
from model.judgements import Gesture, Kind
from model.schema import Example, Message, Prediction, Source
from model.store.database import now
from model.store.outbox_changes import mark_expired
from model.store.outbox_row import State, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import metadata, outbox
from tests.outbox_rows import reply_of
from tests.rows import count
from tests.store.rows import everything
from tests.town import publish_version, wait_until

TEAM, CHANNEL = "T1", "C1"


def a_message(ts: str = "1.000001", text: str = "Se tragó mi tarjeta el cajero", **changes: object) -> Message:
    return Message(channel=CHANNEL, ts=ts, user="U1", text=text, source=Source.CHANNEL).model_copy(update=changes)


def a_prediction(version: int = 1, *labels: str) -> Prediction:
    return Prediction(version=version, base="mini", scores={"cajero": 0.9, "tarjeta": 0.7}, labels=labels or ("cajero",))


def texts(store: Store, wanted: list[tuple[int, int]], *, version: int) -> list[str | None]:
    """What there is to predict."""
    return [each and each.text for each in store.predictions.texts_to_predict(wanted, version=version)]


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    """An operator who upgrades must not find that code and schema have drifted apart."""
    with store.database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_migrating_again_and_at_the_same_time_changes_nothing(empty_url: str, tmp_path: Path) -> None:
    """All processes migrate at start-up, and they start together."""
    stores = [Store(empty_url, tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(Store.migrate, stores))
    assert stores[0].messages.save(a_message()) == (1, True)
    kept = everything(stores[0])
    assert a_message().text in kept
    for each in stores:
        each.migrate()
        assert everything(each) == kept
        each.close()


def test_a_database_belongs_to_the_first_workspace_that_asks(store: Store) -> None:
    """Two bots that start together, or a token that was copied from elsewhere."""
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(store.belongs_to, [f"T{n}" for n in range(8)]))
    assert len(set(told)) == 1
    assert store.belongs_to("T99") == told[0]


def test_processes_that_start_together_on_a_new_sqlite_file_all_start(tmp_path: Path) -> None:
    """`beto up` starts four of them at once on the very first start."""
    code = "import sys; from model.store.database import Database; made = Database(sys.argv[1]); made.migrate(); made.close()"
    for attempt in range(3):
        url = f"sqlite:///{tmp_path / f'{attempt}.db'}"
        started = [subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE) for _ in range(6)]
        assert [each.communicate(timeout=60)[1] for each in started] == [b""] * 6


def test_threads_take_turns_with_a_sqlite_file(tmp_path: Path) -> None:
    """SQLite lets a writer who comes too early sleep: of eight threads, one waited for two seconds."""
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    began = threading.Event()

    def save() -> None:
        began.set()
        store.messages.save(a_message())

    other = threading.Thread(target=save)
    with store.database.writing():
        other.start()
        began.wait(10)
        other.join(0.2)
        assert store.database.engine.pool.checkedout() == 1  # the other one has not even asked SQLite
    other.join(10)
    assert store.messages.find(CHANNEL, "1.000001") is not None
    store.close()


def test_a_message_sent_twice_is_kept_once(store: Store) -> None:
    """Slack delivers at least once, under the same or another event id."""
    first, new = store.messages.save(a_message())
    again, new_again = store.messages.save(a_message(source=Source.MENTION))
    assert (first, new, new_again) == (again, True, False)
    assert store.messages.counts()["messages"] == 1


def test_two_processes_saving_the_same_message_at_once_keep_one(store: Store) -> None:
    """Two bots may hear the two events of one post at the same moment."""
    with ThreadPoolExecutor(8) as pool:
        saved = list(pool.map(lambda _: store.messages.save(a_message()), range(16)))
    assert len({message_id for message_id, _ in saved}) == 1
    assert sum(new for _, new in saved) == 1


def test_an_edit_with_the_same_text_is_no_edit(store: Store) -> None:
    """Slack reports an edit for every unfurl; answering each would loop."""
    message_id, _ = store.messages.save(a_message(text="hola"))
    assert store.messages.edit(CHANNEL, "1.000001", "hola") is None
    assert store.messages.edit(CHANNEL, "1.000001", "hola a todos") == message_id
    stored = store.messages.get(message_id)
    assert stored is not None
    assert (stored.revision, stored.message.text) == (2, "hola a todos")
    assert reply_of(store, message_id).state is State.AWAITING_PREDICTION


def test_a_prediction_of_an_older_text_is_dropped(store: Store) -> None:
    """The edit overtook the prediction; its labels would describe words that nobody sees."""
    message_id, _ = store.messages.save(a_message())
    store.messages.edit(CHANNEL, "1.000001", "otro texto")
    assert store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)]) == [False]
    assert store.predictions.save([NewPrediction(message_id, 2, a_prediction(), 0.01)]) == [True]


def test_many_predictions_are_kept_at_once_and_each_for_itself(store: Store) -> None:
    """A worker keeps a pass in one transaction; the one whose text was edited meanwhile must not cost the others theirs."""
    first, second, third, gone = (store.messages.save(a_message(f"{n}.000001"))[0] for n in (1, 2, 3, 4))
    store.messages.edit(CHANNEL, "2.000001", "otro texto")
    store.messages.delete(CHANNEL, "4.000001")
    wanted = [(third, 1), (second, 1), (first, 1), (gone, 1)]
    assert texts(store, wanted, version=1) == [a_message().text, None, a_message().text, None]
    made = [NewPrediction(message_id, revision, a_prediction(), 0.01) for message_id, revision in wanted]
    assert store.predictions.save(made) == [True, False, True, False]
    assert texts(store, wanted, version=1) == [None] * 4
    assert [reply_of(store, each).state for each in (first, second, third)] == [State.DUE, State.AWAITING_PREDICTION, State.DUE]
    assert store.predictions.save(made) == [False] * 4
    assert store.predictions.save([]) == texts(store, [], version=1) == []


def test_two_workers_that_keep_the_same_messages_do_not_lock_each_other_out(store: Store) -> None:
    """The sweep sends again what a slow worker still holds, so two may keep the same, in any order."""
    ids = [store.messages.save(a_message(f"{n}.000001"))[0] for n in range(40)]
    made = [NewPrediction(message_id, 1, a_prediction(), 0.01) for message_id in ids]
    with ThreadPoolExecutor(4) as pool:
        kept = pool.map(store.predictions.save, [made, made[::-1], made[20:] + made[:20], made])
        assert sum(map(sum, kept)) == 40
    assert {reply_of(store, each).wanted for each in ids} == {2}


def test_the_same_prediction_twice_owes_one_reply(store: Store) -> None:
    """A redelivered task must not make the reply flicker."""
    message_id, _ = store.messages.save(a_message())
    assert store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)]) == [True]
    wanted = reply_of(store, message_id).wanted
    assert store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)]) == [False]
    assert reply_of(store, message_id).wanted == wanted
    assert texts(store, [(message_id, 1)], version=1) == [None]
    assert texts(store, [(message_id, 1)], version=2) == [a_message().text]


def test_only_one_may_post_a_reply_at_a_time(store: Store) -> None:
    """Two reply processes with the same task must not both post."""
    message_id, _ = store.messages.save(a_message())
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)])
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: store.outbox.claim(reply_key(message_id), f"owner{n}", 60), range(8)))
    assert sum(claim is not None for claim in claims) == 1


def test_a_claim_that_died_is_taken_over_and_known_to_be_in_doubt(store: Store) -> None:
    """Its owner may have posted and then been killed: whoever follows must look into the thread first."""
    message_id, _ = store.messages.save(a_message())
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)])
    first = store.outbox.claim(reply_key(message_id), "dies", 0.0)
    assert first is not None
    assert not first.in_doubt
    second = store.outbox.claim(reply_key(message_id), "lives", 60)
    assert second is not None
    assert second.in_doubt


def test_gestures_claims_and_records_at_once_never_lock_each_other_out(store: Store) -> None:
    """All processes touch the same message when fifty people react; a deadlock would cost one of them its work."""
    message_id, _ = store.messages.save(a_message())
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)])
    gestures = store.gestures

    def react(number: int) -> None:
        for at in range(15):
            gesture = Gesture(user=f"U{number}", handle=f"h{at}", at=at, kind=Kind.LABEL, labels=("app",))
            gestures.add(gesture, channel=CHANNEL, item_ts="1.000001" if at % 2 else "9.9")

    def draw(number: int) -> None:
        for _ in range(15):
            claim = store.outbox.claim(reply_key(message_id), f"owner{number}", 60)
            if claim is not None:
                store.outbox.record(claim.row.key, f"owner{number}", wanted=claim.row.wanted, ts="9.9")

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, number) for number in range(4) for work in (react, draw)]:
            future.result()
    draw(9)
    assert reply_of(store, message_id).state is State.SHOWN
    assert count(store, "gestures") == 60


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_texts_that_expire_lock_their_replies_in_the_order_that_all_others_keep(store: Store) -> None:
    """Two that lock the same rows the other way round wait for each other until the database fails one of them."""
    ids = [store.messages.save(a_message(ts=f"{n}.000001"))[0] for n in range(3)]
    with store.database.writing() as connection:  # where the rows lie says nothing about their order
        connection.execute(outbox.update().where(outbox.c.message_id == ids[0]).values(tries=1))

    def expire() -> None:
        with store.database.writing() as connection:
            mark_expired(connection, ids)

    with ThreadPoolExecutor(1) as pool:
        with store.database.writing() as connection:
            lock = select(outbox.c.id).where(outbox.c.message_id == ids[0]).with_for_update()
            connection.execute(lock)
            expiring = pool.submit(expire)
            waits = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")

            def is_waiting() -> bool:
                with store.database.reading() as another:  # a transaction goes on seeing what it saw first
                    return bool(another.execute(waits).scalar_one())

            wait_until(is_waiting, 10, "it waits for the first row")
            for later in ids[1:]:  # nowait: raises where somebody holds it
                connection.execute(select(outbox.c.id).where(outbox.c.message_id == later).with_for_update(nowait=True))
        expiring.result()
    assert {reply_of(store, message_id).state for message_id in ids} == {State.GONE}


def test_a_reply_is_due_until_it_shows_the_latest_state(store: Store) -> None:
    """A new version's prediction that arrives while the reply is being posted must be shown too."""
    message_id, _ = store.messages.save(a_message())
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(1), 0.01)])
    claim = store.outbox.claim(reply_key(message_id), "one", 60)
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(2, "tarjeta"), 0.01)])
    assert store.outbox.record(claim.row.key, "one", wanted=claim.row.wanted, ts="9.9") == "moved on"
    again = store.outbox.claim(reply_key(message_id), "one", 60)
    assert again is not None
    assert (again.row.ts, again.prediction.version) == ("9.9", 2)
    assert store.outbox.record(again.row.key, "one", wanted=again.row.wanted, ts="9.9") == "recorded"
    assert store.outbox.claim(reply_key(message_id), "one", 60) is None


def test_a_late_prediction_does_not_talk_over_a_newer_version(store: Store) -> None:
    """A worker that was frozen since before the promotion would take the better labels away again."""
    message_id, _ = store.messages.save(a_message())
    assert store.predictions.save([NewPrediction(message_id, 1, a_prediction(2, "tarjeta"), 0.01)]) == [True]
    assert store.predictions.save([NewPrediction(message_id, 1, a_prediction(1), 0.01)]) == [False]
    assert store.outbox.claim(reply_key(message_id), "one", 60).prediction.version == 2


def test_a_deleted_message_keeps_no_text_and_loses_its_reply(store: Store) -> None:
    """A person who deletes their words expects them gone."""
    message_id, _ = store.messages.save(a_message())
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)])
    claim = store.outbox.claim(reply_key(message_id), "one", 60)
    store.outbox.record(claim.row.key, "one", wanted=claim.row.wanted, ts="9.9")
    assert store.messages.delete(CHANNEL, "1.000001") == message_id
    assert store.messages.delete(CHANNEL, "1.000001") is None
    stored = store.messages.get(message_id)
    assert stored is not None
    assert (stored.message.text, stored.deleted) == ("", True)
    claim = store.outbox.claim(reply_key(message_id), "one", 60)
    assert (claim.row.ts, claim.prediction) == ("9.9", None)


def test_a_deletion_that_overtakes_its_message_keeps_it_from_being_answered(store: Store) -> None:
    """Two sockets, and the shorter way is taken by the later news: the words would be labelled after they were withdrawn."""
    assert store.messages.delete(CHANNEL, "1.000001") is None
    assert store.messages.find(CHANNEL, "1.000001") is None  # of an old message nobody takes note
    assert store.messages.delete(CHANNEL, "1.000001", may_overtake=True) is None
    message_id, new = store.messages.save(a_message())
    stored = store.messages.get(message_id)
    assert (new, stored.deleted, stored.message.text) == (False, True, "")
    assert reply_of(store, message_id).state is State.GONE


def test_what_waits_too_long_is_found_and_then_left_alone_for_a_while(store: Store) -> None:
    """The sweep must bring back what Redis lost, and must not flood the queues with it."""
    message_id, _ = store.messages.save(a_message())
    outbox = store.outbox
    assert outbox.overdue() == []  # its first task is still on its way
    outbox.release(reply_key(message_id), "nobody", retry_in_s=-1)
    (found,) = outbox.overdue()
    assert (found.message_id, found.revision, found.tries) == (message_id, 1, 0)
    assert outbox.overdue() == [found]  # until somebody has sent it
    outbox.note_sent([found])
    assert outbox.overdue() == []
    assert reply_of(store, message_id).tries == 1


def test_what_waited_for_the_first_version_is_sent_again_as_soon_as_there_is_one(store: Store, trained_version: Path) -> None:
    """After an hour without a hub its pauses were five minutes long; whoever had asked waited on beside a version that serves."""
    message_id, _ = store.messages.save(a_message())
    with store.database.writing() as connection:
        connection.execute(outbox.update().values(retry_at=now() + timedelta(minutes=5), tries=9))
    assert store.outbox.overdue() == []
    publish_version(store, trained_version)
    assert [(row.message_id, row.tries) for row in store.outbox.overdue()] == [(message_id, 0)]
    store.outbox.note_sent(store.outbox.overdue())
    publish_version(store, trained_version)
    assert store.outbox.overdue() == []  # a later version is nothing that anybody waited for


def test_a_command_forgets_its_response_url_once_it_is_answered(store: Store) -> None:
    """The URL lets anybody write to that person for half an hour."""
    message_id, _ = store.messages.save(a_message(source=Source.COMMAND, response_url="https://hooks.example/secret"))
    store.predictions.save([NewPrediction(message_id, 1, a_prediction(), 0.01)])
    claim = store.outbox.claim(reply_key(message_id), "one", 60)
    assert claim.message.message.response_url == "https://hooks.example/secret"
    assert "secret" not in repr(claim)
    store.outbox.record(claim.row.key, "one", wanted=claim.row.wanted, ts=None)
    assert store.messages.get(message_id).message.response_url is None


def test_a_channel_is_asked_about_only_when_somebody_chose_to_watch_it(store: Store) -> None:
    """An invited bot that labels everything unasked would be thrown out."""
    assert store.channels.mode(CHANNEL) == "mention"
    assert store.channels.set_mode(CHANNEL, "auto")
    assert not store.channels.set_mode(CHANNEL, "auto")
    assert store.channels.mode(CHANNEL) == "auto"
    store.channels.rename(CHANNEL, "C2")
    assert store.channels.mode("C2") == "auto"


def test_the_channels_to_hear_of_are_the_watched_ones_with_messages(store: Store) -> None:
    """Whoever asks Slack what was missed asks where people write, and not in a channel that it was never told of."""
    for channel in ("C1", "C2", "C3", "C4"):
        store.channels.set_mode(channel, "mention" if channel == "C3" else "auto")
    for number, channel in enumerate(("C2", "C1", "C3", "C2")):
        store.messages.save(a_message(channel=channel, ts=f"{number}.000001"))
    assert store.channels.watched(10) == ["C2", "C1"]
    assert store.channels.watched(1) == ["C2"]


def test_an_imported_text_takes_its_new_labels(store: Store) -> None:
    """Somebody mends a spreadsheet and imports it again."""
    first = Example(text="hola", labels=())
    assert store.examples.save([("k1", first), ("k2", Example(text="pago", labels=("app",)))]) == (2, 0)
    mended = Example(text="hola", labels=("app",))
    assert store.examples.save([("k1", mended), ("k2", Example(text="pago", labels=("app",)))]) == (0, 1)
    assert [example.labels for example, _ in store.examples.all()] == [("app",), ("app",)]


def test_a_database_that_is_away_is_named_as_such(tmp_path: Path) -> None:
    """The operator should read which part is down, not a driver's traceback."""
    away = Store("postgresql+psycopg://nobody@127.0.0.1:1/none", tmp_path)
    with pytest.raises(StoreUnavailable, match="database does not answer"):
        away.ping()
    away.close()


@pytest.mark.parametrize("url", ["foo", "mysql://u:secret@h/d", "postgresql://u:secret@host:port/d"])
def test_a_url_of_no_database_is_refused_in_a_sentence_without_the_password(url: str, tmp_path: Path) -> None:
    """The commonest slip of a first deployment deserves no traceback, and no log its secrets."""
    with pytest.raises(BadSetting, match="BETO_DATABASE_URL") as refused:
        Store(url, tmp_path)
    assert "secret" not in str(refused.value)
