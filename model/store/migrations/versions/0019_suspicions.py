"""What looks wrong in what people said."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "suspicions",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("says", sa.Boolean(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_suspicions_message_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", "label", name=op.f("pk_suspicions")),
    )


def downgrade() -> None:
    """Bring the schema one step back: what looks wrong is found again after the next training."""
    op.drop_table("suspicions")
