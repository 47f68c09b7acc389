"""What the labels themselves suggest, as questions."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "label_questions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("answered_by", sa.String(length=32)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_questions")),
        sa.UniqueConstraint("key", name=op.f("uq_label_questions_key")),
    )


def downgrade() -> None:
    """Bring the schema one step back: what was asked and answered is gone, and is not asked by older code."""
    op.drop_table("label_questions")
