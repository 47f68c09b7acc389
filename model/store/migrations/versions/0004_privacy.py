"""what is to be forgotten, what each run learnt from, and how long a workspace keeps its texts"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "forgettings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=32), nullable=True),
        sa.Column("message_id", sa.Integer(), nullable=True),
        sa.Column("requested_by", sa.String(length=32), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("judgements", sa.Integer(), server_default="0", nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forgettings")),
    )
    op.create_table(
        "learnt",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("text_id", sa.String(length=160), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "text_id", name=op.f("pk_learnt")),
    )
    op.create_index(op.f("ix_learnt_text_id"), "learnt", ["text_id"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("team", sa.String(length=32), nullable=False),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("retention_corrected_days", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("team", name=op.f("pk_workspaces")),
    )
    with_text = sa.text("text != ''")
    op.create_index(
        "ix_messages_kept",
        "messages",
        ["team", "received_at"],
        unique=False,
        sqlite_where=with_text,
        postgresql_where=with_text,
    )
    op.create_index("ix_messages_user", "messages", ["team", "user"], unique=False)
