"""The messages, what is predicted of them, and their channels: what is kept here is the truth, and queues only carry it.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, case, false, func, select, text, true

from model.masking import mask
from model.schema import Example, Message, Prediction, Source, Split
from model.store.database import Database, aware, now
from model.store.tables import channels, examples, gestures, learnt, messages, predictions, sides, tallies, workspace

Mode = Literal["auto", "mention"]
Owed = Literal["prediction", "reply", "nothing"]

# A message that waits longer than this after its last step is sent again by the sweep.
RETRY_AFTER_S = 15.0
RETRY_AT_MOST_S = 300.0


@dataclass(frozen=True)
class StoredMessage:
    """A message as the store knows it now; `text` is empty once it was deleted."""

    id: int
    message: Message
    revision: int
    state: int
    owed: Owed
    received_at: datetime
    deleted: bool

    @classmethod
    def of(cls, row: Row[Any]) -> "StoredMessage":
        """What a row of `messages` says."""
        return cls(
            id=row.id,
            message=Message(
                team=row.team,
                channel=row.channel,
                ts=row.ts,
                thread_ts=row.thread_ts,
                user=row.user,
                text=row.text,
                source=Source(row.source),
                response_url=row.response_url,
                blind=row.blind,
            ),
            revision=row.revision,
            state=row.state,
            owed=row.owed,
            received_at=aware(row.received_at),
            deleted=row.deleted_at is not None,
        )


@dataclass(frozen=True)
class Labelled:
    """What a version says of a message's text; `model_s` are the seconds that its pass took in the network."""

    message_id: int
    revision: int
    prediction: Prediction
    model_s: float


class Store(Database):
    """The tables of one database. Every text passes `mask` before it is kept: personal data is replaced by words.

    Not so where `mask_personal` is false.
    """

    def __init__(self, url: str, *, mask_personal: bool = True) -> None:
        super().__init__(url)
        self.mask: Callable[[str], str] = mask if mask_personal else str

    # Whose it is

    def belongs_to(self, team: str) -> str:
        """The workspace that this database belongs to: the first one that asked, for ever.

        Labels, versions and trainings are of the whole database, so two workspaces in one would see each other's.
        """
        with self.writing() as connection:
            connection.execute(self.insert_or_ignore(workspace).values(id=1, team=team))
            return str(connection.execute(select(workspace.c.team)).scalar_one())

    # Messages

    def save_message(self, message: Message, edited_at: int = 0) -> tuple[int, bool]:
        """The message is durable. Returns its id, and whether it is new: Slack may send the same one many times.

        `edited_at` is Slack's time of its last edit in microseconds, where the text is no longer the first.
        """
        message = message.model_copy(update={"text": self.mask(message.text)})
        with self.writing() as connection:
            moment = now()
            row = connection.execute(
                self.insert_or_ignore(messages)
                .values(
                    **message.model_dump(mode="json"),
                    received_at=moment,
                    edited_at=edited_at,
                    revision=1,
                    state=1,
                    owed="prediction",
                    retry_at=moment + timedelta(seconds=RETRY_AFTER_S),
                )
                .returning(messages.c.id)
            ).one_or_none()
            if row is not None:
                return row.id, True
            known = select(messages.c.id).where(*_key(message.team, message.channel, message.ts))
            return connection.execute(known).scalar_one(), False

    def edit_message(self, team: str, channel: str, ts: str, text: str, edited_at: int = 0) -> int | None:
        """The message has the new text and wants a new prediction; its id, or None where nothing changed.

        `edited_at` is Slack's time of the edit in microseconds: an older edit that comes late changes nothing, and what
        people said before it was about another text.
        """
        text = self.mask(text)
        with self.writing() as connection:
            row = connection.execute(
                messages.update()
                .where(
                    *_key(team, channel, ts),
                    messages.c.text != text,
                    messages.c.deleted_at.is_(None),
                    messages.c.edited_at <= edited_at,
                )
                .values(
                    text=text,
                    edited_at=edited_at,
                    revision=messages.c.revision + 1,
                    state=messages.c.state + 1,
                    owed="prediction",
                    tries=0,
                    retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                )
                .returning(messages.c.id)
            ).one_or_none()
            if row is None:
                # Back to the words that stood there: an edit in between that comes later is the older one all the same.
                unchanged = (messages.c.text == text, messages.c.deleted_at.is_(None), messages.c.edited_at < edited_at)
                connection.execute(messages.update().where(*_key(team, channel, ts), *unchanged).values(edited_at=edited_at))
            return None if row is None else int(row.id)

    def delete_message(self, team: str, channel: str, ts: str, *, may_overtake: bool = False) -> int | None:
        """The text is gone and the reply is to go; the id, or None where there was no such message.

        With `may_overtake` a message that nobody has heard of is noted as gone, so that it is not answered when it comes.
        """
        gone = (
            messages.update()
            .where(*_key(team, channel, ts), messages.c.deleted_at.is_(None))
            .values(
                text="",
                deleted_at=now(),
                state=messages.c.state + 1,
                owed="reply",
                tries=0,
                retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
            )
            .returning(messages.c.id)
        )
        with self.writing() as connection:
            row = connection.execute(gone).one_or_none()
            if row is None and may_overtake:
                values = {"team": team, "channel": channel, "ts": ts, "user": "", "text": "", "source": Source.CHANNEL.value}
                noted = connection.execute(
                    self.insert_or_ignore(messages)
                    .values(
                        **values,
                        received_at=now(),
                        deleted_at=now(),
                        revision=1,
                        state=1,
                        owed="nothing",
                        blind=False,
                        retry_at=now(),
                    )
                    .returning(messages.c.id)
                ).one_or_none()
                if noted is None:  # it was gone already, or another bot process saved it between our two statements
                    row = connection.execute(gone).one_or_none()
            return None if row is None else int(row.id)

    def message(self, message_id: int) -> StoredMessage | None:
        """The message as it is now."""
        with self.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def find_message(self, team: str, channel: str, ts: str) -> StoredMessage | None:
        """The message with this natural key."""
        with self.reading() as connection:
            row = connection.execute(select(messages).where(*_key(team, channel, ts))).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def waiting(self, limit: int = 500) -> list[tuple[int, Owed]]:
        """Ids of messages that something is owed to for longer than usual, and what; each is left alone for a while after.

        The pause doubles with each try up to `RETRY_AT_MOST_S`, so a message that cannot be served costs little.
        """
        with self.writing() as connection:
            moment = now()
            rows = connection.execute(
                select(messages.c.id, messages.c.owed, messages.c.tries)
                .where(_waits(), messages.c.retry_at <= moment)
                .order_by(messages.c.retry_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            pauses = [min(RETRY_AFTER_S * 2.0 ** min(row.tries, 10), RETRY_AT_MOST_S) for row in rows]
            if rows:
                connection.execute(
                    messages.update()
                    .where(messages.c.id == bindparam("row"))
                    .values(tries=messages.c.tries + 1, retry_at=bindparam("at")),
                    [{"row": row.id, "at": moment + timedelta(seconds=pause)} for row, pause in zip(rows, pauses, strict=True)],
                )
            return [(row.id, row.owed) for row in rows]

    def counts(self, team: str | None) -> dict[str, int]:
        """How many messages this workspace (None: every one) has, and how many wait, by what they wait for."""
        ours = messages.c.team == team if team is not None else true()
        # Everybody's that wait are looked at: few, and the only ones that `ix_messages_owed` holds. With the workspace in the
        # condition, or in a grouping, SQLite would rather look at all messages of the workspace.
        waiting = select(*(func.count().filter(ours, messages.c.owed == owed).label(owed) for owed in ("prediction", "reply")))
        with self.reading() as connection:
            row = connection.execute(waiting.where(_waits())).one()
            total = count_of(connection, "messages", team)
            return {"messages": total, "prediction": row.prediction, "reply": row.reply}

    # Predictions

    def to_label(self, wanted: Sequence[tuple[int, int]], version: int) -> list[str | None]:
        """The text of each (message id, revision); None where there is nothing to do.

        That is where the message is gone, has another text by now, or was labelled by this version.
        """
        with self.reading() as connection:
            rows = connection.execute(
                select(messages.c.id, messages.c.revision, messages.c.text)
                .outerjoin(
                    predictions,
                    (predictions.c.message_id == messages.c.id)
                    & (predictions.c.revision == messages.c.revision)
                    & (predictions.c.version == version),
                )
                .where(
                    messages.c.id.in_([message_id for message_id, _ in wanted]),
                    messages.c.deleted_at.is_(None),
                    predictions.c.id.is_(None),
                )
            ).all()
        texts = {(row.id, row.revision): row.text for row in rows}
        return [texts.get(each) for each in wanted]

    def save_predictions(self, made: Sequence[Labelled]) -> list[bool]:
        """The predictions are kept and the replies are owed; False for each whose text has changed since, or that was known.

        False also where a later version has spoken: a worker that was frozen does not talk over it.
        """
        with self.writing() as connection:
            moment = now()
            # In the order of their ids, as everywhere: two workers that lock the same rows must not wait for each other.
            current = {
                (row.id, row.revision)
                for row in connection.execute(
                    select(messages.c.id, messages.c.revision)
                    .where(messages.c.id.in_([each.message_id for each in made]), messages.c.deleted_at.is_(None))
                    .order_by(messages.c.id)
                    .with_for_update()
                )
            }
            latest = {
                (row.message_id, row.revision): row.version
                for row in connection.execute(
                    select(predictions.c.message_id, predictions.c.revision, func.max(predictions.c.version).label("version"))
                    .where(predictions.c.message_id.in_([message_id for message_id, _ in current]))
                    .group_by(predictions.c.message_id, predictions.c.revision)
                )
            }
            current -= {
                (each.message_id, each.revision)
                for each in made
                if latest.get((each.message_id, each.revision), 0) > each.prediction.version
            }
            rows = [
                {
                    "message_id": each.message_id,
                    "revision": each.revision,
                    "version": each.prediction.version,
                    "prediction": each.prediction.model_dump(mode="json"),
                    "model_s": each.model_s,
                    "created_at": moment,
                }
                for each in made
                if (each.message_id, each.revision) in current
            ]
            if not rows:
                return [False] * len(made)
            inserted = self.insert_or_ignore(predictions).values(rows).returning(predictions.c.message_id)
            added = set(connection.execute(inserted).scalars())
            connection.execute(
                messages.update()
                .where(messages.c.id.in_(added))
                .values(
                    state=messages.c.state + 1,
                    owed="reply",
                    tries=0,
                    retry_at=moment + timedelta(seconds=RETRY_AFTER_S),
                )
            )
            return [(each.message_id, each.revision) in current and each.message_id in added for each in made]

    def latest_prediction(self, message_id: int) -> Prediction | None:
        """What was said last of the message's present text."""
        with self.reading() as connection:
            found = connection.execute(
                select(predictions.c.prediction)
                .join(messages, (messages.c.id == predictions.c.message_id) & (messages.c.revision == predictions.c.revision))
                .where(messages.c.id == message_id)
                .order_by(predictions.c.id.desc())
                .limit(1)
            ).scalar_one_or_none()
            return None if found is None else Prediction.model_validate(found)

    def predictions_of(self, message_id: int) -> list[tuple[datetime, Prediction]]:
        """What each version said of the message, of earlier texts too, oldest first."""
        with self.reading() as connection:
            rows = connection.execute(
                select(predictions.c.created_at, predictions.c.prediction)
                .where(predictions.c.message_id == message_id)
                .order_by(predictions.c.id)
            ).all()
            return [(aware(row.created_at), Prediction.model_validate(row.prediction)) for row in rows]

    def last_message(self, team: str, channel: str) -> int | None:
        """The newest message of this channel that we were asked about and that is still there."""
        with self.reading() as connection:
            newest: int | None = connection.execute(
                select(messages.c.id)
                .where(
                    messages.c.team == team,
                    messages.c.channel == channel,
                    messages.c.deleted_at.is_(None),
                    # A command has a word for a ts; the index steps over all of them at once.
                    messages.c.ts < "a",
                )
                .order_by(messages.c.ts.desc())
                .limit(1)
            ).scalar_one_or_none()
            return newest

    def model_seconds(self) -> dict[str, float]:
        """By a message's ts, the seconds that its latest prediction spent in the network."""
        with self.reading() as connection:
            rows = connection.execute(
                select(messages.c.ts, predictions.c.model_s)
                .join(predictions, predictions.c.message_id == messages.c.id)
                .order_by(predictions.c.id)
            ).all()
            return {row.ts: row.model_s for row in rows}

    # Channels

    def channel_mode(self, team: str, channel: str) -> Mode:
        """`auto`: every message is labelled; `mention` (where nobody chose): only those that ask for it."""
        with self.reading() as connection:
            mode = connection.execute(
                select(channels.c.mode).where(channels.c.team == team, channels.c.channel == channel)
            ).scalar_one_or_none()
            return "auto" if mode == "auto" else "mention"

    def set_channel_mode(self, team: str, channel: str, mode: Mode) -> bool:
        """The channel has this mode; True where it had another."""
        with self.writing() as connection:
            before = connection.execute(
                select(channels.c.mode).where(channels.c.team == team, channels.c.channel == channel)
            ).scalar_one_or_none()
            insert = self.insert(channels).values(team=team, channel=channel, mode=mode)
            connection.execute(insert.on_conflict_do_update(index_elements=["team", "channel"], set_={"mode": mode}))
            return (before or "mention") != mode

    def seeds(self, team: str, channel: str) -> bool:
        """Whether the likely labels' emoji are put on this channel's messages."""
        with self.reading() as connection:
            return bool(
                connection.execute(
                    select(channels.c.seeds).where(channels.c.team == team, channels.c.channel == channel)
                ).scalar_one_or_none()
            )

    def set_seeds(self, team: str, channel: str, seeds: bool) -> None:
        """The channel has this choice."""
        with self.writing() as connection:
            insert = self.insert(channels).values(team=team, channel=channel, mode="mention", seeds=seeds)
            connection.execute(insert.on_conflict_do_update(index_elements=["team", "channel"], set_={"seeds": seeds}))

    def rename_channel(self, team: str, old: str, new: str) -> None:
        """What was kept under the channel's old id stands under the new one (Slack changes ids now and then)."""
        with self.writing() as connection:
            # What came under the new id before we heard of it, or the same news twice: the new rows stand.
            taken = {
                channels: select(channels.c.channel).where(channels.c.team == team, channels.c.channel == new).exists(),
                messages: messages.c.ts.in_(select(messages.c.ts).where(messages.c.team == team, messages.c.channel == new)),
                gestures: false(),
            }
            for table, is_taken in taken.items():
                theirs = (table.c.team == team, table.c.channel == old)
                connection.execute(table.update().where(*theirs, ~is_taken).values(channel=new))
            former = f"{team}:{old}:"
            connection.execute(
                learnt.update()
                .where(learnt.c.text_id.startswith(former, autoescape=True))
                .values(text_id=f"{team}:{new}:" + func.substr(learnt.c.text_id, len(former) + 1))
            )

    # Imported examples

    def save_examples(self, keyed: Sequence[tuple[str, Example]]) -> tuple[int, int]:
        """The labelled texts are kept under their keys, a known text with its new labels; (new, changed) are counted."""
        new = changed = 0
        with self.writing() as connection:
            for key, example in keyed:
                values = {"labels": list(example.labels), "unknown": list(example.unknown)}
                before = connection.execute(select(examples).where(examples.c.text_key == key)).one_or_none()
                if before is None:
                    new += 1
                    connection.execute(
                        examples.insert().values(text_key=key, text=self.mask(example.text), saved_at=now(), **values)
                    )
                elif (before.labels, before.unknown) != (values["labels"], values["unknown"]):
                    changed += 1
                    connection.execute(examples.update().where(examples.c.text_key == key).values(**values))
        return new, changed

    def examples(self) -> Iterator[tuple[Example, datetime]]:
        """The imported texts and when they came, in the order of their keys, which is by chance but always the same."""
        with self.reading() as connection:
            for row in connection.execute(select(examples).order_by(examples.c.text_key)):
                yield Example(text=row.text, labels=tuple(row.labels), unknown=tuple(row.unknown)), aware(row.saved_at)

    def sides(self) -> dict[str, Split]:
        """The side of every text that was ever divided, by its key."""
        with self.reading() as connection:
            return {row.text_key: row.side for row in connection.execute(select(sides))}

    def save_sides(self, divided: Mapping[str, Split]) -> None:
        """Texts that had no side yet have this one, for ever."""
        if divided:
            rows = [{"text_key": key, "side": side} for key, side in divided.items()]
            with self.writing() as connection:
                connection.execute(self.insert_or_ignore(sides), rows)

    def recent_texts(self, limit: int) -> list[tuple[int, str]]:
        """Ids and texts of the newest messages that were labelled and still have their text, newest first."""
        with self.reading() as connection:
            rows = connection.execute(
                select(messages.c.id, messages.c.text)
                .where(messages.c.text != "", messages.c.source != Source.COMMAND.value, messages.c.owed != "prediction")
                .order_by(messages.c.id.desc())
                .limit(limit)
            )
            return [(row.id, row.text) for row in rows]


def count_of(connection: Connection, what: Literal["messages", "gestures"], team: str | None = None) -> int:
    """How many rows this workspace (None: every one) has, in the same time however many they are."""
    total = select(func.coalesce(func.sum(tallies.c[what]), 0))
    return int(connection.execute(total if team is None else total.where(tallies.c.team == team)).scalar_one())


def owe_reply(connection: Connection, message_id: int) -> None:
    """The message's reply is to be drawn again, once it has been predicted."""
    connection.execute(
        messages.update()
        .where(messages.c.id == message_id)
        .values(
            state=messages.c.state + 1,
            owed=case((messages.c.owed == "prediction", "prediction"), else_="reply"),
            retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
        )
    )


def _waits() -> Any:
    """Whether something is owed to a message; in the words of `ix_messages_owed`, else the index would not be used."""
    return text("owed != 'nothing'")


def _key(team: str, channel: str, ts: str) -> Sequence[Any]:
    return messages.c.team == team, messages.c.channel == channel, messages.c.ts == ts
