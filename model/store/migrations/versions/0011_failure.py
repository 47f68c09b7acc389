"""Of what kind a run's failure was: people are told in their own language, and the trainer knows when to try again."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("runs", sa.Column("failure", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Bring the schema one step back."""
    op.drop_column("runs", "failure")
