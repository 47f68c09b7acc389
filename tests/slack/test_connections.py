"""Redis and PostgreSQL by URLs with passwords and TLS: they work, and their passwords print nowhere."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis

from bot.local.environment import child_environment
from bot.local.ports import answers, free_port
from bot.local.supervisor import redis_server
from tests.conftest import missing
from tests.town import wait_until

PASSWORD = "hunter2/@:#%?"  # what breaks a URL that nobody quoted


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    if shutil.which("openssl") is None:
        missing("openssl")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "server.crt", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return made, key


@pytest.fixture(scope="module")
def tls_redis(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """(TLS port, plain port) of a Redis with a password; the TLS ends before it, as at most hosting companies."""
    plain, port = free_port(), free_port()
    command = [redis_server(), "--port", str(plain), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
    process = subprocess.Popen(command, cwd=tmp_path_factory.mktemp("redis"), stdout=subprocess.DEVNULL)
    wait_until(lambda: answers(plain), 10, "Redis answers")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    listener = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=_serve, args=(listener, context, plain), daemon=True).start()
    yield port, plain
    listener.close()
    process.terminate()
    process.wait(10)


def _serve(listener: socket.socket, context: ssl.SSLContext, plain: int) -> None:
    while True:
        try:
            raw, _ = listener.accept()
        except OSError:
            return
        try:
            client = context.wrap_socket(raw, server_side=True)
        except OSError:  # who speaks no TLS is turned away
            raw.close()
            continue
        behind = socket.create_connection(("127.0.0.1", plain))
        for here, there in ((client, behind), (behind, client)):
            threading.Thread(target=_copy, args=(here, there), daemon=True).start()


def _copy(here: socket.socket, there: socket.socket) -> None:
    try:
        while data := here.recv(65_536):
            there.sendall(data)
    except OSError:
        pass
    finally:
        there.close()


@pytest.fixture
def tls_postgres(postgres_server: str, certificate: tuple[Path, Path]) -> str:
    """The URL of a database that wants a password and TLS."""
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        setting = dict(connection.execute("select name, setting from pg_settings").fetchall())
        data, rules = Path(setting["data_directory"]), Path(setting["hba_file"])
        owner = rules.stat()
        for source, name in zip(certificate, ("server.crt", "server.key"), strict=True):
            (data / name).write_bytes(source.read_bytes())
            (data / name).chmod(0o600)
            os.chown(data / name, owner.st_uid, owner.st_gid)
        if "hostssl all guarded" not in (text := rules.read_text(encoding="utf-8")):
            rules.write_text(f"hostssl all guarded all scram-sha-256\nhost all guarded all reject\n{text}", encoding="utf-8")
        literal = psycopg.sql.Literal(PASSWORD)
        connection.execute("drop role if exists guarded")
        connection.execute(psycopg.sql.SQL("create role guarded superuser login password {}").format(literal))
        connection.execute("alter system set ssl = on")
        connection.execute("select pg_reload_conf()")
        connection.execute("drop database if exists guarded")
        connection.execute("create database guarded")
    port = postgres_server.rsplit(":", 1)[1]
    return f"postgresql://guarded:{{}}@127.0.0.1:{port}/guarded?sslmode=verify-full&sslrootcert={certificate[0]}"


def run(*command: str, home: Path, **settings: str) -> tuple[int, str]:
    """A process of ours with these settings: its status, and all that it printed."""
    environment = child_environment(None, BETO_HOME=str(home), **settings)
    done = subprocess.run(
        [sys.executable, "-P", *command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


PUBLISH = """
from worker.app import configure
from worker.settings import WorkerSettings
from worker.tasks import train
configure(WorkerSettings())
train.delay(7)
"""


def test_redis_with_a_password_behind_tls_carries_tasks(
    tls_redis: tuple[int, int], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """What hosting companies hand out; the certificate is looked at, and the password is not shown."""
    port, plain = tls_redis
    trusted = f"ssl_cert_reqs=required&ssl_ca_certs={certificate[0]}"
    status, said = run(
        "-c", PUBLISH, home=tmp_path, BETO_REDIS_URL=f"rediss://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/0?{trusted}"
    )
    assert status == 0, said
    with redis.Redis(port=plain, password=PASSWORD) as client:
        assert client.llen("training") == 1


@pytest.mark.parametrize(
    "url",
    [
        "rediss://:hunter2wrong@127.0.0.1:{port}/0?ssl_cert_reqs=required&ssl_ca_certs={ca}",
        "rediss://:hunter2@127.0.0.1:{port}/0?ssl_cert_reqs=required",  # nobody knows who signed
        "redis://:hunter2/x@127.0.0.1:{port}/0",  # its own slash makes the URL another
    ],
)
def test_a_redis_that_refuses_is_told_without_the_password(
    tls_redis: tuple[int, int], certificate: tuple[Path, Path], tmp_path: Path, url: str
) -> None:
    """The complaint ends up in a chat; the operator must be able to paste it."""
    settings = {"BETO_REDIS_URL": url.format(port=tls_redis[0], ca=certificate[0]), "BETO_BASE": "mini"}
    status, said = run("-c", PUBLISH, home=tmp_path, **settings)
    assert status != 0, said
    assert "hunter2" not in said


def test_postgresql_with_a_password_by_tls_keeps_messages(tls_postgres: str, tmp_path: Path) -> None:
    """Verified against the certificate, with a password that has to be quoted; a wrong one is refused and not shown."""
    ask = """
from worker.settings import WorkerSettings
from worker.tasks import TrainerContext
store = TrainerContext.open(WorkerSettings()).store
store.migrate()
print(store.messages.counts())
"""
    status, said = run("-c", ask, home=tmp_path, BETO_DATABASE_URL=tls_postgres.format(quote(PASSWORD, safe="")))
    assert status == 0, said
    assert "'messages': 0" in said
    for wrong in (
        tls_postgres.format("hunter2wrong"),
        tls_postgres.format(quote(PASSWORD, safe="")).replace("verify-full", "disable"),
        tls_postgres.format("hunter2/@:#%?"),
    ):
        status, said = run("-c", ask, home=tmp_path, BETO_DATABASE_URL=wrong)
        assert status != 0, said
        assert "hunter2" not in said, said
