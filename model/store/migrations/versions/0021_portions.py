"""The daily portions of the review."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "portions",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("offset_s", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.String(length=10), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_portions")),
    )


def downgrade() -> None:
    """Bring the schema one step back: nobody is reminded any more."""
    op.execute("delete from outbox where key like 'portion:%'")
    op.drop_table("portions")
