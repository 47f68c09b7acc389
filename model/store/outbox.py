"""What is to stand in Slack: a row for each post, with what it should show, what it shows, and who is working on it.

A row is claimed with a lease before Slack is called and recorded after it; whoever dies in between leaves a claim that runs
out, and the next one looks in Slack first. Every method is one transaction (see `database` for what it raises). Locks are taken
in one order everywhere: channel, message, the message's row, the digest that answers it.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, and_, bindparam, case, exists, or_, select, text

from model.schema import Source
from model.store.about_message import read_about
from model.store.database import Database, aware, insert_or_ignore, lock_channel, now
from model.store.outbox_changes import NEWEST_GESTURE, mark_due, mark_refused_due, of_message
from model.store.outbox_row import (
    CLAIMABLE,
    RETRY_AFTER_S,
    RETRY_AT_MOST_S,
    SETTLED,
    Claim,
    Kind,
    Overdue,
    Row,
    State,
    emoji_key,
    question_key,
    questions_of,
    thanks_key,
)
from model.store.standing import Standing, forget_standing, keep_standing
from model.store.tables import gestures, messages, outbox

Recorded = Literal["recorded", "moved on", "surplus"]

# What every reply asks, built once: to build a query takes longer than to ask it.
_ROW = select(outbox).where(outbox.c.key == bindparam("of_key"))
_LOCKED = _ROW.with_for_update()
_on_new_post = exists().where(gestures.c.channel == outbox.c.channel, gestures.c.item_ts == bindparam("new_ts"))
_RECORDED = select(outbox, case((_on_new_post, NEWEST_GESTURE)).label("gestures_until")).where(
    outbox.c.key == bindparam("of_key")
)
_CHANGE = outbox.update().where(outbox.c.id == bindparam("row_id"))


class Outbox:
    """The rows of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> Row | None:
        """Return the row as it is now."""
        with self._database.reading() as connection:
            row = connection.execute(_ROW, {"of_key": key}).one_or_none()
            return None if row is None else Row.of(row)

    def claim(self, key: str, owner: str, lease_s: float) -> Claim | None:
        """Claim a row for `lease_s` seconds, or return None where nothing is due or somebody else has it.

        Until then `owner` alone may call Slack for it.
        """
        with self._database.writing() as connection:
            row = connection.execute(_LOCKED, {"of_key": key}).one_or_none()
            moment = now()
            if row is None or not _is_claimable(row, moment):
                return None
            claim: dict[str, Any] = {"claimed_by": owner, "claimed_until": moment + timedelta(seconds=lease_s)}
            if row.state == State.REFUSED:
                claim |= {"state": State.DUE, "retry_at": moment + timedelta(seconds=RETRY_AFTER_S)}
            connection.execute(_CHANGE, {"row_id": row.id, **claim})
            # A statement of its own: it must see what was there when the lock was got, not when it was asked for.
            about = {} if row.message_id is None else vars(read_about(connection, row.message_id))
            return Claim(Row.of(row), in_doubt=row.claimed_by is not None, **about)

    def record(
        self,
        key: str,
        owner: str,
        *,
        wanted: int,
        state: State = State.SHOWN,
        ts: str | None,
        before: str | None = None,
        questions: Mapping[str, str] | None = None,
        standing: Standing | None = None,
        retry_in_s: float | None = None,
        reason: str | None = None,
    ) -> Recorded:
        """Record that Slack shows `wanted` in the post `ts` (None: there is none any more), and give the claim back.

        `before` is the post that the claim knew of. `questions` are the labels that the thread is asked about, or was before,
        and how each stands now: where that is news, its question is due. `standing`, of a reply: what it shows.
        "moved on": the row is to be rendered once more. "surplus": whoever took over when the lease had run out recorded another
        post, which counts, and `ts` is to be deleted.
        """
        with self._database.writing() as connection:
            what = {"of_key": key, "new_ts": ts}
            row = connection.execute(_RECORDED, what).one()
            dissolves = row.kind == Kind.DIGEST and state is State.REFUSED and ts is None and retry_in_s is None
            if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
                if row.kind == Kind.REPLY:
                    lock_channel(connection, row.channel)
                if dissolves:
                    members = select(outbox.c.id).where(outbox.c.digest_id == row.id)
                    connection.execute(members.order_by(outbox.c.id).with_for_update())
                row = connection.execute(_RECORDED.with_for_update(of=outbox), what).one()
            moment = now()
            if row.ts not in (None, before, ts):
                return self._record_surplus(connection, row, owner, ts, moment)
            # Somebody may have reacted to the reply before we knew it by its ts.
            is_reply, is_first = row.kind == Kind.REPLY, ts is not None and row.ts != ts
            early = is_reply and is_first and row.gestures_until is not None
            is_current = row.wanted == wanted and not early
            # Whoever took over may die or be unable to look: on a settled row the doubt would stay, and nobody would come.
            settles = is_current and not _is_in_other_hands(row, owner, state, ts)
            values: dict[str, Any] = {
                "ts": ts,
                "wanted": row.wanted + early,
                "rendered_at": moment,
                "asked": questions_of(row.asked) | dict(questions or {}),
                "reason": reason,
                **({"judged_before": row.gestures_until} if early else {}),
                **_after_record(row, state if settles else State.DUE, retry_in_s if settles else RETRY_AFTER_S, moment),
            }
            # Also when the lease ran out meanwhile it is recorded: the post is there, whoever holds the claim by now.
            if row.claimed_by == owner:
                values |= {"claimed_by": None, "claimed_until": None}
            if state is not State.REFUSED:
                values["shown"] = wanted
            if row.posted_at is None and (ts is not None or state is State.SHOWN):
                values["posted_at"] = moment
            leaves_digest = row.digest_id is not None and ts is not None
            if leaves_digest:
                values["digest_id"] = None
            if row.kind in (Kind.EXPLANATION, Kind.STEP) and state in SETTLED:
                values["content"] = None  # it was for one person, or one workflow, once
            connection.execute(_CHANGE, {"row_id": row.id, **values})
            if leaves_digest:
                mark_due(connection, outbox.c.id == row.digest_id)
            if is_reply:
                self._follow_reply(connection, row, state, ts, questions or {}, standing, is_current=is_current)
            if dissolves:
                connection.execute(
                    outbox.update()
                    .where(outbox.c.digest_id == row.id, outbox.c.state == State.IN_DIGEST)
                    .values(state=State.DUE, retry_at=moment, digest_id=None)
                )
            return "recorded" if is_current else "moved on"

    def _follow_reply(
        self,
        connection: Connection,
        row: Any,
        state: State,
        ts: str | None,
        questions: Mapping[str, str],
        standing: Standing | None,
        *,
        is_current: bool,
    ) -> None:
        """Keep what a reply shows, have its thread asked, and forget where a command was to be answered."""
        if state is State.GONE:
            forget_standing(connection, [row.message_id])
        elif standing is not None:
            keep_standing(connection, row.message_id, row.channel, standing)
        self._ask(connection, row, dict.fromkeys(questions_of(row.asked), "") if state is State.GONE else questions)
        if is_current and ts is None:  # what a command asked is answered in no post
            answered = (messages.c.id == row.message_id, messages.c.response_url.is_not(None))
            connection.execute(messages.update().where(*answered).values(response_url=None))

    def _record_surplus(self, connection: Connection, row: Any, owner: str, ts: str | None, moment: datetime) -> Recorded:
        _give_back(connection, row.id, owner, in_doubt=ts is not None)
        if ts is None:
            return "moved on"
        # Until the surplus is gone the next claim is in doubt, and somebody comes to make it.
        doubt = {"claimed_by": owner, "claimed_until": moment}
        connection.execute(outbox.update().where(outbox.c.id == row.id, outbox.c.claimed_by.is_(None)).values(**doubt))
        connection.execute(
            outbox.update()
            .where(outbox.c.id == row.id, outbox.c.state.in_(SETTLED))
            .values(state=State.DUE, retry_at=moment + timedelta(seconds=RETRY_AFTER_S))
        )
        return "surplus"

    def _ask(self, connection: Connection, row: Any, questions: Mapping[str, str]) -> None:
        """Have the reply's thread asked about each of these labels, or its question rendered anew, whatever that shows now."""
        before, due = questions_of(row.asked), {"state": State.DUE, "retry_at": now()}
        for label in sorted(questions):
            if label not in before:
                connection.execute(
                    insert_or_ignore(connection, outbox).values(
                        key=question_key(row.message_id, label),
                        kind=Kind.QUESTION,
                        message_id=row.message_id,
                        channel=row.channel,
                        thread_ts=row.thread_ts,
                        wanted=1,
                        content={"label": label},
                        **due,
                    )
                )
            else:
                # Also where nothing changed since: the question may show what was so for a moment in between.
                question = outbox.c.key == question_key(row.message_id, label)
                connection.execute(outbox.update().where(question).values(wanted=outbox.c.wanted + 1, tries=0, **due))

    def release(
        self,
        key: str,
        owner: str,
        retry_in_s: float,
        *,
        state: State = State.DUE,
        in_doubt: bool = False,
        reason: str | None = None,
    ) -> None:
        """Give the claim back with nothing done; the sweep takes the row up again after `retry_in_s`.

        `in_doubt`: something may have been posted, so the next claim is in doubt too.
        """
        with self._database.writing() as connection:
            moment = now()
            row = connection.execute(select(outbox).where(outbox.c.key == key).with_for_update()).one()
            values: dict[str, Any] = {}
            if row.retry_at is not None:
                values["retry_at"] = moment + timedelta(seconds=retry_in_s)
            if row.claimed_by == owner:
                values |= {"claimed_until": moment} if in_doubt else {"claimed_by": None, "claimed_until": None}
                if row.state in CLAIMABLE:
                    values |= {"state": state, "reason": reason}
            if values:
                connection.execute(outbox.update().where(outbox.c.id == row.id).values(**values))

    def note(self, key: str, **content: Any) -> None:
        """Save what the next claim of this row must know, whoever dies meanwhile."""
        with self._database.writing() as connection:
            connection.execute(outbox.update().where(outbox.c.key == key).values(content=content))

    def open_emoji(self, message_id: int, channel: str, thread_ts: str) -> str:
        """Have the emoji of ours on this message brought up to date, and return the row's key."""
        key = emoji_key(message_id)
        with self._database.writing() as connection:
            values = {"state": State.DUE, "tries": 0, "retry_at": now() + timedelta(seconds=RETRY_AFTER_S)}
            opened = self._database.insert(outbox).values(
                key=key, kind=Kind.EMOJI, message_id=message_id, channel=channel, thread_ts=thread_ts, wanted=1, **values
            )
            again = values | {"wanted": outbox.c.wanted + 1}
            connection.execute(opened.on_conflict_do_update(index_elements=["key"], set_=again))
        return key

    def note_dispute(self, key: str, *, is_open: bool, was_open: bool) -> bool:
        """Save whether people disagree on what this question asks, and return whether that is news.

        `was_open` holds for a row that does not say yet.
        """
        with self._database.writing() as connection:
            content = connection.execute(select(outbox.c.content).where(outbox.c.key == key).with_for_update()).scalar_one()
            if content.get("open", was_open) == is_open:
                return False
            connection.execute(outbox.update().where(outbox.c.key == key).values(content={**content, "open": is_open}))
            return True

    # The sweep

    def overdue(self, limit: int = 500) -> list[Overdue]:
        """Return what has waited for longer than usual, and what is tried again only now and then."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(outbox, messages.c.revision)
                .outerjoin(messages, and_(messages.c.id == outbox.c.message_id, outbox.c.state == State.AWAITING_PREDICTION))
                .where(outbox.c.retry_at <= now())
                .order_by(outbox.c.retry_at)
                .limit(limit)
            ).all()
        return [Overdue(row.id, row.key, Kind(row.kind), row.tries, row.message_id, row.revision) for row in rows]

    def note_sent(self, sent: Sequence[Overdue]) -> None:
        """Leave these rows alone for a while, since a task for each of them is under way.

        The pause doubles with each try up to RETRY_AT_MOST_S, so a row that cannot be served costs little. What a task has
        changed meanwhile stays.
        """
        if not sent:
            return
        moment = now()
        with self._database.writing() as connection:
            # Whoever holds one of them is changing it.
            free = select(outbox.c.id).where(outbox.c.id.in_([each.id for each in sent]), outbox.c.retry_at <= moment)
            ids = set(connection.execute(free.with_for_update(skip_locked=True)).scalars())
            rows = [
                {
                    "row": each.id,
                    "at": moment + timedelta(seconds=min(RETRY_AFTER_S * 2.0 ** min(each.tries, 10), RETRY_AT_MOST_S)),
                }
                for each in sent
                if each.id in ids
            ]
            if not rows:
                return
            connection.execute(
                outbox.update()
                .where(outbox.c.id == bindparam("row"))
                .values(
                    tries=outbox.c.tries + 1,
                    retry_at=bindparam("at"),
                    state=case((outbox.c.state == State.REFUSED, State.DUE.value), else_=outbox.c.state),
                ),
                rows,
            )

    # Lines and digests

    def line(self, channel: str, limit: int, *, newest_first: bool) -> list[str]:
        """Return the keys of first replies that wait for their turn in the channel, in the order to serve them."""
        with self._database.reading() as connection:
            return [row.key for row in connection.execute(_line(channel, limit, newest_first=newest_first))]

    def open_digest(self, channel: str, limit: int, *, newest_first: bool) -> tuple[str | None, list[str]]:
        """Let one post answer those that wait for their turn in the channel.

        Returns the digest's key (None: there is nobody for it), and the keys of those that want a reply of their own: a post
        of theirs may stand in the thread already, or another digest answered them before they were corrected.
        """
        with self._database.writing() as connection:
            waiting = _line(channel, limit, newest_first=newest_first).with_for_update(of=outbox, skip_locked=True)
            rows = connection.execute(waiting).all()
            fit = [row for row in rows if row.claimed_by is None and row.digest_id is None and row.deleted_at is None]
            alone = [row.key for row in rows if row not in fit]
            if not fit:
                return None, alone
            key = f"{Kind.DIGEST}:{uuid.uuid4().hex}"
            stamps = sorted(row.message_ts for row in fit)
            digest_id = connection.execute(
                outbox.insert()
                .values(
                    key=key,
                    kind=Kind.DIGEST,
                    channel=channel,
                    state=State.DUE,
                    wanted=1,
                    retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                    # By these it is looked for, also when none of them is answered by it any more.
                    content={"messages": stamps},
                )
                .returning(outbox.c.id)
            ).scalar_one()
            connection.execute(
                outbox.update()
                .where(outbox.c.id.in_([row.id for row in fit]))
                .values(state=State.IN_DIGEST, digest_id=digest_id, retry_at=None, tries=0, reason=None)
            )
            return key, alone

    def members(self, digest: Row) -> list[int]:
        """Return the ids of the messages that this digest answers, or is to answer, the oldest first.

        One that is corrected while the digest is not posted yet has only its own reply; where it is, the line stands there
        until that reply does.
        """
        answered = outbox.c.state == State.IN_DIGEST if digest.ts is None else outbox.c.ts.is_(None)
        with self._database.reading() as connection:
            return list(
                connection.execute(
                    select(messages.c.id)
                    .join(outbox, outbox.c.message_id == messages.c.id)
                    .where(outbox.c.digest_id == digest.id, answered, messages.c.deleted_at.is_(None))
                    .order_by(messages.c.ts)
                ).scalars()
            )

    # Others

    def announce(
        self,
        key: str,
        channel: str,
        text_key: str,
        values: Mapping[str, str | int] | None = None,
        *,
        thread_ts: str | None = None,
    ) -> bool:
        """Save that a text of the locales is to be told in a channel, or in a thread there; False where it was saved before.

        A greeting means that the bot is in the channel now: what was refused there is due again.
        """
        with self._database.writing() as connection:
            row = insert_or_ignore(connection, outbox).values(
                key=key,
                kind=Kind.ANNOUNCEMENT,
                channel=channel,
                thread_ts=thread_ts,
                state=State.DUE,
                wanted=1,
                retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                content={"text": text_key, "values": dict(values or {})},
            )
            new = connection.execute(row.returning(outbox.c.id)).one_or_none() is not None
            if key.startswith("greeting:"):
                mark_refused_due(connection, channel)
            return new

    def open_summary(self, key: str, channel: str, content: Mapping[str, Any]) -> bool:
        """Open what a channel is to be told of what came in it; False where that was done before."""
        return self._open(key, Kind.SUMMARY, channel, content)

    def open_thanks(self, run_id: int, user: str, content: Mapping[str, Any]) -> bool:
        """Open what a person is to be thanked for after a run; False where that was done before."""
        return self._open(thanks_key(run_id, user), Kind.THANKS, user, content)

    def _open(self, key: str, kind: Kind, channel: str, content: Mapping[str, Any]) -> bool:
        with self._database.writing() as connection:
            row = insert_or_ignore(connection, outbox).values(
                key=key, kind=kind, channel=channel, state=State.DUE, wanted=1, retry_at=now(), content=dict(content)
            )
            return connection.execute(row.returning(outbox.c.id)).one_or_none() is not None

    def reply_ts(self, message_id: int) -> str | None:
        """Return the ts of the reply to this message, once it stands in the thread."""
        with self._database.reading() as connection:
            return connection.execute(select(outbox.c.ts).where(*of_message(message_id))).scalar_one_or_none()

    def key_of(self, row_id: int) -> str | None:
        """Return the key of the row with this id."""
        with self._database.reading() as connection:
            return connection.execute(select(outbox.c.key).where(outbox.c.id == row_id)).scalar_one_or_none()


def _after_record(row: Any, state: State, retry_in_s: float | None, moment: datetime) -> dict[str, Any]:
    """Return state, time and tries of a row that was just recorded; whoever awaits a prediction goes on waiting for it."""
    if row.state == State.AWAITING_PREDICTION:
        return {}
    # Where a later state had been shown before, what was just rendered hides it: it is due again.
    values = {"state": state, "retry_at": None if retry_in_s is None else moment + timedelta(seconds=retry_in_s)}
    return values | ({"tries": 0} if state in {State.SHOWN, State.GONE} else {})


def _give_back(connection: Connection, row_id: int, owner: str, *, in_doubt: bool) -> None:
    values = {"claimed_until": now()} if in_doubt else {"claimed_by": None, "claimed_until": None}
    connection.execute(outbox.update().where(outbox.c.id == row_id, outbox.c.claimed_by == owner).values(**values))


def _is_in_other_hands(row: Any, owner: str, state: State, ts: str | None) -> bool:
    """Return whether somebody has taken the row over, in doubt, and can be left to settle it: not what is said but once."""
    looks = state is State.GONE or (state is State.SHOWN and ts is not None)
    return looks and row.claimed_by not in (None, owner)


def _is_claimable(row: Any, moment: datetime) -> bool:
    if row.claimed_by is not None and aware(row.claimed_until) > moment:
        return False
    if row.state == State.REFUSED:
        return row.retry_at is not None and aware(row.retry_at) <= moment
    return row.state in CLAIMABLE


def _line(channel: str, limit: int, *, newest_first: bool) -> Any:
    return (
        select(outbox, messages.c.ts.label("message_ts"), messages.c.deleted_at)
        .join(messages, messages.c.id == outbox.c.message_id)
        .where(
            outbox.c.channel == channel,
            text("state = 'waiting_turn'"),  # in the words of `ix_outbox_turn`, else it would not be used
            messages.c.source != Source.COMMAND.value,
            or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < now()),
        )
        .order_by(messages.c.ts.desc() if newest_first else messages.c.ts)
        .limit(limit)
    )
