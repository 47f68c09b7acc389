"""runs that are reported, versions that know their run, and sides that never change"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Bring the schema one step further."""
    op.create_table(
        "sides",
        sa.Column("text_key", sa.String(length=64), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("text_key", name=op.f("pk_sides")),
    )
    op.create_table(
        "label_events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_events")),
    )
    op.add_column("messages", sa.Column("blind", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("versions", sa.Column("run_id", sa.Integer(), nullable=True))
    op.add_column("versions", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("uq_versions_run_id", "versions", ["run_id"], unique=True)
    for column in (
        sa.Column("dry", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("report", sa.JSON(), nullable=True),
        sa.Column("test_texts", sa.Integer(), nullable=True),
        sa.Column("judgements", sa.Integer(), server_default="0", nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled_by", sa.String(length=64), nullable=True),
        sa.Column("team", sa.String(length=32), nullable=True),
        sa.Column("channel", sa.String(length=32), nullable=True),
        sa.Column("status_ts", sa.String(length=64), nullable=True),
        sa.Column("report_ts", sa.String(length=64), nullable=True),
        sa.Column("reporting_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watcher", sa.String(length=32), nullable=True),
        sa.Column("watched_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("runs", column)
    op.create_index("ix_runs_status", "runs", ["team", "channel", "status_ts"], unique=False)
