"""Each label's messages by their time: `/beto cifras` counts them label by label."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_index("ix_standing_labels_label", "standing_labels", ["label", "at"])
    op.drop_index("ix_standing_labels_at", "standing_labels")


def downgrade() -> None:
    """Bring the schema one step back."""
    op.create_index("ix_standing_labels_at", "standing_labels", ["at", "label"])
    op.drop_index("ix_standing_labels_label", "standing_labels")
