"""One database is one workspace: its id stands in one row and no longer in every key. Tables have the field's names."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SHARDS = 8
COUNTED = ("messages", "gestures")
PAGE = 5000


# Which tables had the workspace's id, and whether it may be missing there.
OF_WORKSPACE = {"channels": False, "people": False, "messages": False, "gestures": False, "forgettings": False, "runs": True}


def upgrade() -> None:
    """Bring the schema one step further."""
    connection = op.get_bind()
    is_postgresql = connection.dialect.name == "postgresql"
    _drop_tallies(is_postgresql)
    _keep_workspace(connection)
    # Written before each workspace had a database of its own: what two of them say of the same id, the first one says.
    for table, key in (("channels", "channel"), ("people", '"user"')):
        earlier = f"select 1 from {table} o where o.{key} = {table}.{key} and o.team < {table}.team"  # noqa: S608 - our own names
        op.execute(f"delete from {table} where exists ({earlier})")  # noqa: S608 - likewise
    _rename_tables()
    _rekey_gestures(connection, ())
    for index in ("ix_messages_kept", "ix_messages_user"):
        op.drop_index(index, "messages")
    for index in ("ix_gestures_item", "ix_gestures_user"):
        op.drop_index(index, "gestures")
    op.drop_index("ix_runs_status", "runs")
    with op.batch_alter_table("channels", recreate="always") as batch:
        batch.drop_constraint("pk_channels", type_="primary")
        batch.drop_column("team")
        batch.create_primary_key("pk_channels", ["channel"])
    with op.batch_alter_table("people", recreate="always") as batch:
        batch.drop_constraint("pk_people", type_="primary")
        batch.drop_column("team")
        batch.create_primary_key("pk_people", ["user"])
    with op.batch_alter_table("messages") as batch:
        batch.drop_constraint("uq_messages_team", type_="unique")
        batch.drop_column("team")
        batch.create_unique_constraint("uq_messages_channel", ["channel", "ts"])
    for table in ("gestures", "runs", "erasure_requests"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("team")
    with_text = sa.text("text != ''")
    op.create_index("ix_messages_kept", "messages", ["received_at"], sqlite_where=with_text, postgresql_where=with_text)
    op.create_index("ix_messages_user", "messages", ["user"])
    op.create_index("ix_gestures_item", "gestures", ["channel", "item_ts"])
    op.create_index("ix_gestures_user", "gestures", ["user", "at"])
    op.create_index("ix_runs_status", "runs", ["channel", "status_ts"])
    _create_tallies(is_postgresql)


def _keep_workspace(connection: sa.Connection) -> None:
    with op.batch_alter_table("workspace") as batch:
        batch.alter_column("team", existing_type=sa.String(length=32), nullable=True)
        batch.add_column(sa.Column("retention_days", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("retention_corrected_days", sa.Integer(), nullable=True))
    team = connection.execute(sa.text("select team from workspace")).scalar()
    if team is None:  # no bot has started since the database was told whose it is
        most = "select team from messages group by team order by count(*) desc limit 1"
        team = connection.execute(sa.text(most)).scalar() or connection.execute(sa.text("select team from workspaces")).scalar()
        if team is not None:
            connection.execute(sa.text("insert into workspace (id, team) values (1, :team)"), {"team": team})
    chosen = connection.execute(sa.text("select * from workspaces where team = :team"), {"team": team}).one_or_none()
    if chosen is not None:
        connection.execute(
            sa.text("update workspace set retention_days = :days, retention_corrected_days = :corrected"),
            {"days": chosen.retention_days, "corrected": chosen.retention_corrected_days},
        )
    op.drop_table("workspaces")


def _rename_tables() -> None:
    op.rename_table("sides", "split_assignments")
    op.alter_column("split_assignments", "side", new_column_name="split")
    op.rename_table("learnt", "training_texts")
    op.drop_index("ix_learnt_text_id", "training_texts")
    colon = "position(':' in text_id)" if op.get_bind().dialect.name == "postgresql" else "instr(text_id, ':')"
    op.execute(f"update training_texts set text_id = substr(text_id, {colon} + 1) where text_id not like 'imported:%'")  # noqa: S608 - our own words
    op.create_index("ix_training_texts_text_id", "training_texts", ["text_id"])
    op.rename_table("forgettings", "erasure_requests")
    op.alter_column("erasure_requests", "asked_at", new_column_name="requested_at")


def _rekey_gestures(connection: sa.Connection, before: tuple[str, ...]) -> None:
    """Give each gesture the key that it would have, with `before` in front, so that Slack's redelivery finds it."""
    columns = 'id, channel, item_ts, "user", handle, at, withdrawn'
    last = 0
    while rows := connection.execute(
        sa.text(f"select {columns} from gestures where id > :last order by id limit {PAGE}"),  # noqa: S608 - our own words
        {"last": last},
    ).all():
        keyed = []
        for row in rows:
            whole = "\0".join([*before, row.channel, row.item_ts, row.user, row.handle, str(row.at), str(bool(row.withdrawn))])
            keyed.append({"row": row.id, "key": hashlib.sha256(whole.encode()).hexdigest()})
        connection.execute(sa.text("update gestures set key = :key where id = :row"), keyed)
        last = rows[-1].id


def _drop_tallies(is_postgresql: bool) -> None:
    for table in COUNTED:
        if is_postgresql:
            for event in ("insert", "delete"):
                op.execute(f"drop trigger tally_{table}_{event} on {table}")
                op.execute(f"drop function tally_{table}_{event}()")
        else:
            op.execute(f"drop trigger {table}_are_more")
            op.execute(f"drop trigger {table}_are_fewer")
    op.drop_table("tallies")


def downgrade() -> None:
    """Bring the schema one step back: every row has the workspace's id again."""
    connection = op.get_bind()
    is_postgresql = connection.dialect.name == "postgresql"
    _drop_tallies(is_postgresql)
    team = connection.execute(sa.text("select team from workspace")).scalar() or ""
    for index, table in (
        ("ix_messages_kept", "messages"),
        ("ix_messages_user", "messages"),
        ("ix_gestures_item", "gestures"),
        ("ix_gestures_user", "gestures"),
        ("ix_runs_status", "runs"),
        ("ix_training_texts_text_id", "training_texts"),
    ):
        op.drop_index(index, table)
    op.rename_table("split_assignments", "sides")
    op.alter_column("sides", "split", new_column_name="side")
    op.rename_table("training_texts", "learnt")
    op.rename_table("erasure_requests", "forgettings")
    op.alter_column("forgettings", "requested_at", new_column_name="asked_at")
    connection.execute(
        sa.text("update learnt set text_id = :team || ':' || text_id where text_id not like 'imported:%'"), {"team": team}
    )
    for table, may_be_missing in OF_WORKSPACE.items():
        default = None if may_be_missing else team
        op.add_column(table, sa.Column("team", sa.String(length=32), server_default=default, nullable=may_be_missing))
    connection.execute(sa.text("update runs set team = :team where channel is not null"), {"team": team})
    _rekey_gestures(connection, (team,))
    for table, key in (("channels", "channel"), ("people", "user")):
        with op.batch_alter_table(table, recreate="auto" if is_postgresql else "always") as batch:
            batch.drop_constraint(f"pk_{table}", type_="primary")
            batch.alter_column("team", existing_type=sa.String(length=32), server_default=None)
            batch.create_primary_key(f"pk_{table}", ["team", key])
    with op.batch_alter_table("messages") as batch:
        batch.drop_constraint("uq_messages_channel", type_="unique")
        for column, kind in (("team", sa.String(length=32)), ("state", sa.Integer()), ("owed", sa.String(length=16))):
            batch.alter_column(column, existing_type=kind, server_default=None)
        batch.alter_column("retry_at", existing_type=sa.DateTime(timezone=True), server_default=None)
        batch.create_unique_constraint("uq_messages_team", ["team", "channel", "ts"])
    for table in ("gestures", "forgettings"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column("team", existing_type=sa.String(length=32), server_default=None)
    with_text = sa.text("text != ''")
    op.create_index("ix_messages_kept", "messages", ["team", "received_at"], sqlite_where=with_text, postgresql_where=with_text)
    op.create_index("ix_messages_user", "messages", ["team", "user"])
    op.create_index("ix_gestures_item", "gestures", ["team", "channel", "item_ts"])
    op.create_index("ix_gestures_user", "gestures", ["team", "user", "at"])
    op.create_index("ix_runs_status", "runs", ["team", "channel", "status_ts"])
    op.create_index("ix_learnt_text_id", "learnt", ["text_id"])
    _give_back_workspace(connection, team)
    _create_tallies(is_postgresql, by_team=True)


def _give_back_workspace(connection: sa.Connection, team: str) -> None:
    op.create_table(
        "workspaces",
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("retention_corrected_days", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("team", name=op.f("pk_workspaces")),
    )
    connection.execute(
        sa.text(
            "insert into workspaces (team, retention_days, retention_corrected_days) "
            "select :team, retention_days, retention_corrected_days from workspace "
            "where retention_days is not null or retention_corrected_days is not null"
        ),
        {"team": team},
    )
    op.execute("delete from workspace where team is null")
    with op.batch_alter_table("workspace") as batch:
        batch.drop_column("retention_days")
        batch.drop_column("retention_corrected_days")
        batch.alter_column("team", existing_type=sa.String(length=32), nullable=False)


def _create_tallies(is_postgresql: bool, *, by_team: bool = False) -> None:
    """Count from now on by triggers, on eight rows; `by_team`, as it was before, on eight for each workspace."""
    key = ["team", "shard"] if by_team else ["shard"]
    op.create_table(
        "tallies",
        *([sa.Column("team", sa.String(length=32), nullable=False)] if by_team else []),
        sa.Column("shard", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("gestures", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_tallies")),
    )
    team = "team, " if by_team else ""
    for table in COUNTED:
        op.execute(
            f"insert into tallies ({team}shard, {table}) select {team}id % {SHARDS}, count(*) from {table} where true "  # noqa: S608 - our own names
            f"group by {team}id % {SHARDS} on conflict ({team}shard) do update set {table} = excluded.{table}"
        )
        for statement in _postgresql(table, team) if is_postgresql else _sqlite(table, team):
            op.execute(statement)


def _sqlite(table: str, team: str) -> list[str]:
    new, old = ("new.team, ", "team = old.team and ") if team else ("", "")
    return [
        f"create trigger {table}_are_more after insert on {table} begin "  # noqa: S608 - our own names
        f"insert into tallies ({team}shard, {table}) values ({new}new.id % {SHARDS}, 1) "
        f"on conflict ({team}shard) do update set {table} = {table} + 1; end",
        f"create trigger {table}_are_fewer after delete on {table} begin "  # noqa: S608 - our own names
        f"update tallies set {table} = {table} - 1 where {old}shard = old.id % {SHARDS}; end",
    ]


def _postgresql(table: str, team: str) -> list[str]:
    """For each statement, not for each row; in the order of the key, so that two of them never wait for each other."""
    statements = []
    for event, rows, by in (("insert", "new", 1), ("delete", "old", -1)):
        name = f"tally_{table}_{event}"
        statements += [
            f"create function {name}() returns trigger language plpgsql as $$ begin "  # noqa: S608 - our own names
            f"insert into tallies ({team}shard, {table}) select {team}id % {SHARDS}, {by} * count(*) from changed "
            f"group by {team}id % {SHARDS} order by {team}id % {SHARDS} "
            f"on conflict ({team}shard) do update set {table} = tallies.{table} + excluded.{table}; return null; end $$",
            f"create trigger {name} after {event} on {table} referencing {rows} table as changed "
            f"for each statement execute function {name}()",
        ]
    return statements
