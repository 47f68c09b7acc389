"""What was called right or wrong before the network had said anything is found at once."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Bring the schema one step further."""
    before = sa.text("prediction_id is null and kind in ('correct', 'wrong')")
    op.create_index("ix_gestures_before_a_word", "gestures", ["id"], sqlite_where=before, postgresql_where=before)


def downgrade() -> None:
    """Bring the schema one step back."""
    op.drop_index("ix_gestures_before_a_word", "gestures")
