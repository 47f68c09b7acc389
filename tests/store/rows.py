"""What a database holds, as text."""

from model.store.store import Store
from model.store.tables import metadata


def everything(store: Store) -> str:
    """Return every row of every table, as text."""
    with store.database.reading() as connection:
        return "\n".join(str(row) for table in metadata.sorted_tables for row in connection.execute(table.select()))
