"""What was learnt at once, between two trainings."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "refits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("learnt", sa.String(length=64), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True)),
        sa.Column("corrections", sa.Integer()),
        sa.Column("loss_before", sa.Float()),
        sa.Column("loss_after", sa.Float()),
        sa.Column("corrected", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refits")),
        sa.UniqueConstraint("version", "learnt", name=op.f("uq_refits_version")),
    )


def downgrade() -> None:
    """Bring the schema one step back; what was learnt at once is derived."""
    op.drop_table("refits")
