"""numbers that need no counting, and an index of the messages that are asked about blind"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# Kept by the database itself, whoever inserts or deletes. Eight rows a workspace, or everybody who saves a message at the
# same moment would wait for one row's turn.
SHARDS = 8
COUNTED = ("messages", "gestures")


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "tallies",
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gestures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("team", "shard", name=op.f("pk_tallies")),
    )
    blind = sa.text("blind")
    op.create_index("ix_messages_blind", "messages", ["id"], unique=False, sqlite_where=blind, postgresql_where=blind)
    of_dialect = _postgresql if op.get_bind().dialect.name == "postgresql" else _sqlite
    for table in COUNTED:
        op.execute(
            f"insert into tallies (team, shard, {table}) select team, id % {SHARDS}, count(*) from {table} where true "  # noqa: S608 - our own names
            f"group by team, id % {SHARDS} on conflict (team, shard) do update set {table} = excluded.{table}"
        )
        for statement in of_dialect(table):
            op.execute(statement)


def _sqlite(table: str) -> list[str]:
    return [
        f"create trigger {table}_are_more after insert on {table} begin "  # noqa: S608 - our own names
        f"insert into tallies (team, shard, {table}) values (new.team, new.id % {SHARDS}, 1) "
        f"on conflict (team, shard) do update set {table} = {table} + 1; end",
        f"create trigger {table}_are_fewer after delete on {table} begin "  # noqa: S608 - our own names
        f"update tallies set {table} = {table} - 1 where team = old.team and shard = old.id % {SHARDS}; end",
    ]


def _postgresql(table: str) -> list[str]:
    """For each statement, not for each row; in the order of the key, so that two of them never wait for each other."""
    statements = []
    for event, rows, by in (("insert", "new", 1), ("delete", "old", -1)):
        name = f"tally_{table}_{event}"
        statements += [
            f"create function {name}() returns trigger language plpgsql as $$ begin "  # noqa: S608 - our own names
            f"insert into tallies (team, shard, {table}) select team, id % {SHARDS}, {by} * count(*) from changed "
            f"group by team, id % {SHARDS} order by team, id % {SHARDS} "
            f"on conflict (team, shard) do update set {table} = tallies.{table} + excluded.{table}; return null; end $$",
            f"create trigger {name} after {event} on {table} referencing {rows} table as changed "
            f"for each statement execute function {name}()",
        ]
    return statements
