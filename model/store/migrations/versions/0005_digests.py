"""Replies that many messages share."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("replies", sa.Column("digest_ts", sa.String(length=64), nullable=True))
