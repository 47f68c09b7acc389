"""The cards of the review, and what leads to disputes and notes."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "review_cards",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(length=16)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("fk_review_cards_message_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_cards")),
    )
    is_open = sa.text("outcome is null")
    op.create_index(
        "uq_review_cards_open", "review_cards", ["message_id"], unique=True, sqlite_where=is_open, postgresql_where=is_open
    )
    blind = sa.text("blind")
    op.create_index("ix_review_cards_blind", "review_cards", ["message_id"], sqlite_where=blind, postgresql_where=blind)
    op.create_index("ix_review_cards_user", "review_cards", ["user", "ended_at"])
    noted, question = sa.text("note is not null"), sa.text("kind = 'question'")
    op.create_index("ix_gestures_note", "gestures", ["id"], sqlite_where=noted, postgresql_where=noted)
    op.create_index("ix_outbox_question", "outbox", ["id"], sqlite_where=question, postgresql_where=question)


def downgrade() -> None:
    """Bring the schema one step back; who was given which message is gone, what they said of it stays."""
    op.drop_index("ix_outbox_question", "outbox")
    op.drop_index("ix_gestures_note", "gestures")
    op.drop_table("review_cards")
