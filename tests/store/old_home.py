"""A database as version 0.1 left it."""

import sqlite3
from pathlib import Path

import psycopg

HOME = Path(__file__).parent / "home_0_1"


def load(url: str) -> None:
    """The empty database holds what version 0.1 left."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript((HOME / "sqlite.sql").read_text("utf-8"))
        connection.close()
    else:
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as postgres:
            postgres.execute((HOME / "postgresql.sql").read_text("utf-8").encode())
