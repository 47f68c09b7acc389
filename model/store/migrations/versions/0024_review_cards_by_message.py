"""The cards of a message, found by an index: a message that retention removes takes them with it."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_index("ix_review_cards_message_id", "review_cards", ["message_id"])


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_review_cards_message_id", "review_cards")
