"""The canvas with the label guide that a channel asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("channels", sa.Column("canvas", sa.String(32)))


def downgrade() -> None:
    """Bring the schema one step back: asked again, a channel gets another canvas."""
    op.drop_column("channels", "canvas")
