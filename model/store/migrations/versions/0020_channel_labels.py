"""The labels that a channel uses."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("channels", sa.Column("labels", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    """Bring the schema one step back: every channel uses all labels again."""
    op.drop_column("channels", "labels")
