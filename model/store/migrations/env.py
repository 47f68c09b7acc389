"""Alembic's entry: `Store.migrate` hands over its open connection, so there is one way to reach the database."""

from alembic import context

from model.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
