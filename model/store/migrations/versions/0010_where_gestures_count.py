"""Where a gesture counts: what a channel chose, and the emoji that the bot put on a message."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("channels", sa.Column("reactions", sa.String(length=16), server_default="reply", nullable=False))
    op.add_column("messages", sa.Column("offered", sa.JSON(), nullable=True))
    gone = sa.text("offered is not null and deleted_at is not null")
    op.create_index("ix_messages_offered", "messages", ["id"], sqlite_where=gone, postgresql_where=gone)


def downgrade() -> None:
    """Bring the schema one step back; from then on gestures count on every message again."""
    op.drop_index("ix_messages_offered", "messages")
    op.drop_column("messages", "offered")
    op.drop_column("channels", "reactions")
