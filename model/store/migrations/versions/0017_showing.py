"""How channels show labels, what people asked to be shown all the same, and what they muted."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("channels", sa.Column("display", sa.String(length=16), nullable=False, server_default="thread"))
    op.add_column("channels", sa.Column("delay_minutes", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("channels", sa.Column("rest", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("messages", sa.Column("asked", sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.create_table(
        "mutes",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("ts", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("muted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "ts", "user", name=op.f("pk_mutes")),
    )
    op.create_index("ix_mutes_user", "mutes", ["user"])


def downgrade() -> None:
    """Bring the schema one step back."""
    op.drop_table("mutes")
    op.drop_column("messages", "asked")
    for name in ("rest", "delay_minutes", "display"):
        op.drop_column("channels", name)
