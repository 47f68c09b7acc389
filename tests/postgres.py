"""A PostgreSQL cluster of one's own: on a free loopback port, for as long as it is needed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.local.ports import free_port


def postgres_programs() -> Path | None:
    """The folder with PostgreSQL's programs, the newest; None where it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which("pg_ctl")
    return folders[-1] if folders else Path(found).parent if found else None


@contextmanager
def running_postgres(programs: Path, *, durable: bool) -> Iterator[str]:
    """A new, empty cluster's URL, without a database's name. What is committed survives a power cut only if `durable`."""
    # Not below pytest's own folder: another run of pytest clears that away after a while.
    data = Path(tempfile.mkdtemp(prefix="beto-postgres-"))
    run: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = pwd.getpwnam("postgres")
        run |= {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        os.chown(data, owner.pw_uid, owner.pw_gid)
    port = free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=200"
    if not durable:
        options += " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    encoding = ["-E", "UTF8", "--locale=C.UTF-8"]
    initdb: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "beto",
        "-A",
        "trust",
        *encoding,
        "--no-sync",
    ]
    try:
        subprocess.run(initdb, check=True, **run)
        subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-o", options, "start"], check=True, **run)
        try:
            yield f"postgresql://beto@127.0.0.1:{port}"
        finally:
            subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, **run)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def new_database(server: str, name: str, template: str = "template1") -> str:
    """Make a database, empty or a copy of `template`, and return the store's URL of it."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} template {template}".encode())
    return f"{server}/{name}".replace("postgresql://", "postgresql+psycopg://")
