"""What was judged before it was known as a message, or its reply as one, is found by what reads judgements as they come."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.add_column("outbox", sa.Column("judged_before", sa.Integer()))
    known = sa.text("judged_before is not null")
    op.create_index("ix_outbox_judged_before", "outbox", ["judged_before"], sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    """Bring the schema one step back."""
    op.drop_index("ix_outbox_judged_before", "outbox")
    op.drop_column("outbox", "judged_before")
