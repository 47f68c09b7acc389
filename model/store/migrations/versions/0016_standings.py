"""What stands under each message, to be counted; and when a channel is told of it.

What stood before is noted afterwards, the newest first (`Standings.note_former`): however much is stored, nobody waits for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "standings",
        sa.Column("message_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Boolean(), nullable=False),
        sa.Column("corrected", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_standings")),
    )
    op.create_table(
        "standing_labels",
        sa.Column("message_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "label", name=op.f("pk_standing_labels")),
    )
    op.create_index("ix_standings_at", "standings", ["at", "labels", "judged", "corrected"])
    op.create_index("ix_standings_channel", "standings", ["channel", "at", "labels", "judged", "corrected"])
    op.create_index("ix_standing_labels_at", "standing_labels", ["at", "label"])
    op.create_index("ix_standing_labels_channel", "standing_labels", ["channel", "at", "label"])
    op.create_index("ix_gestures_at", "gestures", ["at", "user", "withdrawn"])
    op.add_column("channels", sa.Column("summary", sa.String(length=16)))
    op.add_column("channels", sa.Column("summary_hour", sa.Integer()))
    op.add_column("channels", sa.Column("summary_zone", sa.String(length=64)))
    op.add_column("channels", sa.Column("summary_since", sa.DateTime(timezone=True)))
    op.add_column("workspace", sa.Column("standings_from", sa.Integer()))
    connection = op.get_bind()
    newest = connection.execute(sa.text("select max(id) from messages")).scalar()
    if newest is not None:
        below = {"below": newest + 1}
        told = "insert into workspace (id, standings_from) values (1, :below)"
        connection.execute(sa.text(f"{told} on conflict (id) do update set standings_from = excluded.standings_from"), below)


def downgrade() -> None:
    """Take it back: what is lost follows from what people and versions said."""
    op.drop_column("workspace", "standings_from")
    for name in ("summary_since", "summary_zone", "summary_hour", "summary"):
        op.drop_column("channels", name)
    op.drop_index("ix_gestures_at", "gestures")
    op.drop_table("standing_labels")
    op.drop_table("standings")
