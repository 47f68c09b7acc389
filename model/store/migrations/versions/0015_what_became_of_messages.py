"""Find the messages that were edited or deleted lately, however many others there are: what was said of them counts no more."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Bring the schema one step further."""
    for name, column, where in (
        ("ix_messages_edited", "edited_at", "edited_at > 0"),
        ("ix_messages_deleted", "deleted_at", "deleted_at is not null"),
    ):
        op.create_index(name, "messages", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    """Bring the schema one step back."""
    for name in ("ix_messages_deleted", "ix_messages_edited"):
        op.drop_index(name, "messages")
