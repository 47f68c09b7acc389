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
