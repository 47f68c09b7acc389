"""What is to stand in Slack is a row of its own: replies, digests, and what tells of a run."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# Who claims what may stand in Slack without anybody knowing: whoever comes next looks first.
IN_DOUBT = "migration"

REPLIES = """
insert into outbox (
  key, kind, message_id, channel, thread_ts, ts, state, wanted, shown, claimed_by, claimed_until, tries, retry_at,
  posted_at, rendered_at, asked, digest_id
)
select
  'reply:' || m.id, 'reply', m.id, m.channel, coalesce(m.thread_ts, m.ts), r.ts,
  case
    when m.owed = 'prediction' then 'awaiting_prediction'
    when m.owed = 'reply' then 'due'
    when d.id is not null and r.ts is null and m.deleted_at is null then 'in_digest'
    when r.ts is not null then 'shown'
    when m.deleted_at is not null or r.message_id is null then 'gone'
    else 'shown'
  end,
  m.state, coalesce(r.shown, 0), r.claimed_by, r.claimed_until, m.tries,
  case when m.owed = 'nothing' then null else m.retry_at end,
  r.posted_at, r.drawn_at, r.asked, d.id
from messages m
left join replies r on r.message_id = m.id
left join outbox d on d.key = 'digest:' || m.channel || ':' || r.digest_ts
order by m.id
"""

# What nobody was told yet is due; it may stand there where somebody had begun, who may not have lived to note it.
STATUSES = """
insert into outbox (key, kind, run_id, channel, ts, state, wanted, shown, claimed_by, claimed_until, retry_at, posted_at)
select
  'status:' || id, 'status', id, channel, status_ts,
  case when told_at is null then 'due' when status_ts is null then 'gone' else 'shown' end,
  1, case when told_at is null then 0 else 1 end,
  case when told_at is null and status_ts is null then :in_doubt end,
  case when told_at is null and status_ts is null then {now} end,
  case when told_at is null then {now} end,
  told_at
from runs where channel is not null order by id
"""
PICTURES = """
insert into outbox (key, kind, run_id, channel, state, wanted, shown, claimed_by, claimed_until, retry_at, posted_at)
select
  'picture:' || id, 'picture', id, channel, case when told_at is null then 'due' else 'shown' end,
  1, case when told_at is null then 0 else 1 end,
  case when told_at is null and reporting_at is not null then :in_doubt end,
  case when told_at is null and reporting_at is not null then {now} end,
  case when told_at is null then {now} end,
  told_at
from runs where channel is not null and {has_report} order by id
"""
REPORTS = """
insert into outbox (
  key, kind, run_id, channel, ts, thread_ts, state, wanted, shown, claimed_by, claimed_until, retry_at, posted_at
)
select
  'report:' || id, 'report', id, channel, report_ts, status_ts,
  case when told_at is null then 'due' when report_ts is null then 'gone' else 'shown' end,
  1, case when told_at is null then 0 else 1 end,
  case when told_at is null and reporting_at is not null then :in_doubt end,
  case when told_at is null and reporting_at is not null then {now} end,
  case when told_at is null then {now} end,
  told_at
from runs where channel is not null and {has_report} order by id
"""

# The way back. What 0.1.0 says of a row is what is owed, and a reply as soon as anything is known of it.
MESSAGES_AGAIN = """
update messages set
  state = coalesce((select o.wanted from outbox o where o.message_id = messages.id and o.kind = 'reply'), 0),
  owed = coalesce((
    select case
      when o.state = 'awaiting_prediction' then 'prediction'
      when o.state in ('shown', 'in_digest', 'gone') then 'nothing'
      else 'reply'
    end
    from outbox o where o.message_id = messages.id and o.kind = 'reply'
  ), 'nothing'),
  tries = coalesce((select o.tries from outbox o where o.message_id = messages.id and o.kind = 'reply'), 0),
  retry_at = coalesce(
    (select o.retry_at from outbox o where o.message_id = messages.id and o.kind = 'reply'), messages.received_at
  )
"""
REPLIES_AGAIN = """
insert into replies (message_id, ts, shown, claimed_by, claimed_until, posted_at, drawn_at, asked, digest_ts)
select
  o.message_id, o.ts, o.shown, o.claimed_by, o.claimed_until, o.posted_at, o.rendered_at, o.asked,
  case when d.id is null then null else coalesce(d.ts, 'pending') end
from outbox o
join messages m on m.id = o.message_id
left join outbox d on d.id = o.digest_id
where o.kind = 'reply'
  and (o.ts is not null or o.claimed_by is not null or o.posted_at is not null or d.id is not null or o.state = 'shown')
  and (o.state != 'gone' or m.deleted_at is not null or o.ts is not null or o.claimed_by is not null)
"""
# Whoever was not told of a run is told by 0.1.0; where a report may stand, it says that somebody had begun.
RUNS_AGAIN = """
update runs set
  status_ts = (select o.ts from outbox o where o.key = 'status:' || runs.id),
  report_ts = (select o.ts from outbox o where o.key = 'report:' || runs.id),
  reporting_at = (select o.claimed_until from outbox o where o.key = 'report:' || runs.id),
  told_at = case
    when exists (
      select 1 from outbox o where o.key in ('status:' || runs.id, 'picture:' || runs.id, 'report:' || runs.id)
      and o.state not in ('shown', 'gone', 'refused')
    ) then null
    else coalesce(
      (select o.posted_at from outbox o where o.key = 'report:' || runs.id),
      (select o.posted_at from outbox o where o.key = 'status:' || runs.id),
      runs.beat_at
    )
  end
"""
# A column that may not be empty needs a value until it has its own; the next migration back takes the default away.
SOME_TIME = "1970-01-01 00:00:00.000000"


def upgrade() -> None:
    """Bring the schema one step further."""
    connection = op.get_bind()
    _create_outbox()
    _carry_digests(connection)
    op.execute(REPLIES)
    # A JSON null may stand where there is no report.
    has_report = "report is not null and cast(report as text) != 'null'"
    for statement in (STATUSES, PICTURES, REPORTS):
        text = sa.text(statement.format(now=":now", has_report=has_report))
        connection.execute(text.bindparams(sa.bindparam("now", _now(), sa.DateTime(timezone=True))), {"in_doubt": IN_DOUBT})
    _create_indexes()
    op.drop_table("replies")
    op.drop_index("ix_messages_owed", "messages")
    for column in ("state", "owed", "tries", "retry_at"):
        op.drop_column("messages", column)
    op.drop_index("ix_runs_status", "runs")
    for column in ("status_ts", "report_ts", "reporting_at", "told_at", "watcher", "watched_at"):
        op.drop_column("runs", column)
    op.add_column("runs", sa.Column("decided", sa.JSON(), nullable=True))


def _carry_digests(connection: sa.Connection) -> None:
    """Give each post that answered many messages a row; one that was being posted is in doubt, and looked for."""
    members: dict[tuple[str, str], list[str]] = {}
    query = (
        "select m.channel, r.digest_ts, m.ts from replies r join messages m on m.id = r.message_id "
        "where r.digest_ts is not null order by m.ts"
    )
    for channel, digest_ts, ts in connection.execute(sa.text(query)):
        members.setdefault((channel, digest_ts), []).append(ts)
    outbox = sa.table(
        "outbox",
        *(sa.column(name) for name in ("key", "kind", "channel", "ts", "state", "wanted", "shown", "claimed_by")),
        *(sa.column(name, sa.DateTime(timezone=True)) for name in ("claimed_until", "retry_at")),
        sa.column("content", sa.JSON()),
    )
    for (channel, digest_ts), stamps in members.items():
        row: dict[str, Any] = {
            "key": f"digest:{channel}:{digest_ts}",
            "kind": "digest",
            "channel": channel,
            "content": {"messages": stamps},
        }
        if digest_ts == "pending":
            row |= {"ts": None, "state": "due", "wanted": 1, "shown": 0, "retry_at": _now()}
            row |= {"claimed_by": IN_DOUBT, "claimed_until": _now()}
        else:
            row |= {"ts": digest_ts, "state": "shown", "wanted": 1, "shown": 1}
        connection.execute(outbox.insert().values(**row))


def _now() -> datetime:
    return datetime.now(UTC)


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("thread_ts", sa.String(length=64), nullable=True),
        sa.Column("ts", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rendered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("digest_id", sa.Integer(), nullable=True),
        sa.Column("content", sa.JSON(), nullable=True),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_outbox_message_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )


def _create_indexes() -> None:
    for name, column, where in (
        ("ix_outbox_waiting", "retry_at", "retry_at is not null"),
        ("ix_outbox_turn", "channel", "state = 'waiting_turn'"),
        ("ix_outbox_refused", "channel", "state = 'refused'"),
        ("ix_outbox_digest", "digest_id", "digest_id is not null"),
    ):
        op.create_index(name, "outbox", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_outbox_message", "outbox", ["message_id", "kind"])
    op.create_index("ix_outbox_ts", "outbox", ["ts"])


def downgrade() -> None:
    """Bring the schema one step back: what is owed stands in messages, replies and runs again.

    Announcements and what was decided after a report have no place there; questions stand in `replies.asked`.
    """
    for column in (
        sa.Column("state", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owed", sa.String(length=16), server_default="nothing", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True), server_default=SOME_TIME, nullable=False),
    ):
        op.add_column("messages", column)
    op.create_table(
        "replies",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("ts", sa.String(length=64), nullable=True),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked", sa.JSON(), nullable=True),
        sa.Column("digest_ts", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_replies_message_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_replies")),
    )
    for name, kind in (
        ("status_ts", sa.String(length=64)),
        ("report_ts", sa.String(length=64)),
        ("reporting_at", sa.DateTime(timezone=True)),
        ("told_at", sa.DateTime(timezone=True)),
        ("watcher", sa.String(length=32)),
        ("watched_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("runs", sa.Column(name, kind, nullable=True))
    for statement in (MESSAGES_AGAIN, REPLIES_AGAIN, RUNS_AGAIN):
        op.execute(statement)
    op.drop_table("outbox")
    op.drop_column("runs", "decided")
    waits = sa.text("owed != 'nothing'")
    op.create_index("ix_messages_owed", "messages", ["retry_at"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_replies_ts", "replies", ["ts"])
    op.create_index("ix_runs_status", "runs", ["channel", "status_ts"])
