"""Which judged message decided what a version says of another: where that one is erased, nothing may name it any more."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("predictions", sa.Column("known_from", sa.String(length=160), nullable=True))
    known = sa.text("known_from is not null")
    op.create_index("ix_predictions_known_from", "predictions", ["known_from"], sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    """Bring the schema one step back; what older code has no word for is owed no more."""
    op.drop_index("ix_predictions_known_from", "predictions")
    op.drop_column("predictions", "known_from")
    known = "'reply', 'question', 'digest', 'status', 'picture', 'report', 'announcement'"
    op.execute(f"delete from outbox where kind not in ({known})")  # noqa: S608 - our own words
