"""`/beto estado`: which version really answers, and what is done in this channel. Chosen and loaded may differ."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from model.schema import Card, Message, Source
from model.store.store import Store
from model.store.tables import versions, workers
from tests.slack.dispatching import TEAM, dispatcher, inside, patient, published, slack
from tests.town import SimulatorThread

__all__ = ["inside", "patient", "published", "slack"]

INSIDE, OUTSIDE, DIRECT = "C0SIMUATENCION", "C0SIMUFRAUDES", "D1"
TRAINED, LOADED = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, 8, 30, tzinfo=UTC)
SINCE = f"<!date^{int(LOADED.timestamp())}^{{date_num}} {{time}}|2026-05-01 08:30 UTC>"


@pytest.fixture
def store(sqlite_store: Store, trained_version: Path) -> Store:
    """Versions 1 and 2 were trained long ago, and 2 was chosen."""
    made = sqlite_store
    for number in (1, 2):
        built = made.registry.run_directory(0) / "version"
        shutil.copytree(trained_version, built)
        made.registry.add(built, Card.model_validate_json((built / "card.json").read_text(encoding="utf-8")))
        made.registry.promote(number, by="test", reason="a test needs it")
    with made.database.writing() as connection:
        connection.execute(versions.update().values(created_at=TRAINED))
    return made


async def ask(slack: SimulatorThread, store: Store, home: Path, published: list[str], channel: str = INSIDE) -> str:
    """What `/beto estado` answers."""
    body = {
        "command": "/beto", "text": "estado", "team_id": TEAM, "channel_id": channel, "user_id": "U0SIMULUIS",
        "trigger_id": "1.1", "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    return str((await dispatcher(slack, store, home, published)(body)).body)


SERVES_1, SERVES_2 = f"*mini · versión 1* responde desde el {SINCE}.", f"*mini · versión 2* responde desde el {SINCE}."


@pytest.mark.parametrize(
    ("loaded", "told"),
    [
        ([(2, [])], [SERVES_2]),
        ([(1, [])], [SERVES_1, "La versión 2 se está cargando: mientras tanto responde la 1."]),
        ([(1, [2])], [SERVES_1, ":warning: La versión 2 no se puede cargar, así que responde la 1."]),
        ([(1, [2]), (1, [])], [SERVES_1, "La versión 2 se está cargando: mientras tanto responde la 1."]),
        ([(1, []), (2, [])], [SERVES_2, "Algún proceso responde todavía con la versión 1."]),
        ([(0, [])], ["La versión 2 se está cargando: en cuanto esté, respondo."]),
        ([(0, [1, 2])], [":warning: La versión 2 no se puede cargar, así que no responde ninguna."]),
        ([], [":warning: Ahora mismo no responde nadie: no hay ningún proceso `worker` en marcha."]),
    ],
    ids=["chosen", "loading", "broken", "broken for one", "half way", "first", "none can be loaded", "no worker"],
)
async def test_it_tells_what_the_workers_have_loaded_and_since_when(
    loaded: list[tuple[int, list[int]]], told: list[str], inside: SimulatorThread, store: Store, tmp_path: Path,
    published: list[str],
) -> None:  # fmt: skip
    """It named the version that was chosen, which may be broken, “since” it was trained, in UTC."""
    for number, (version, refused) in enumerate(loaded):
        store.workers.beat(str(number), version, refused)
    with store.database.writing() as connection:
        connection.execute(workers.update().values(since=LOADED))
    lines = (await ask(inside, store, tmp_path, published)).splitlines()
    assert len(lines) == len(told) + 2
    assert all(line.startswith(words) for line, words in zip(lines, told, strict=False)), lines
    assert "2026-01-01" not in "\n".join(lines)


async def test_it_names_what_was_learnt_since(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:  # fmt: skip
    """As every reply does."""
    store.workers.beat("w", 2)
    refit_id = store.refits.claim(2, "what was said", 60)
    assert refit_id is not None
    store.refits.save(refit_id, b"", corrections=12)
    told = await ask(inside, store, tmp_path, published)
    assert told.startswith("*mini · versión 2 + 12 correcciones* responde desde el ")


@pytest.mark.parametrize(
    ("channel", "mode", "told"),
    [
        (INSIDE, "auto", "En este canal: etiqueto cada mensaje. Respondo en el hilo de cada mensaje."),
        (INSIDE, "mention", "En este canal: etiqueto lo que me piden"),
        (OUTSIDE, "auto", "En este canal: todavía no estoy: con `/invite @beto` empezaré a etiquetar cada mensaje"),
        (OUTSIDE, "mention", "En este canal: no estoy: con `/invite @beto` etiquetaré lo que me pidan"),
        (DIRECT, "mention", "En este canal: es un mensaje directo, y etiqueto todo lo que me escriben"),
    ],
)
async def test_it_tells_what_is_done_here(
    channel: str, mode: Any, told: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """In #fraudes, before the invitation, it said that it labels every message there."""
    store.channels.set_mode(channel, mode)
    assert (await ask(inside, store, tmp_path, published, channel)).splitlines()[-1] == told


@pytest.mark.parametrize(("messages", "words"), [(0, "0 mensajes guardados"), (1, "1 mensaje guardado")])
async def test_it_counts_in_words_that_fit(
    messages: int, words: str, inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    for _ in range(messages):
        store.messages.save(Message(channel=INSIDE, ts="1.1", user="U1", text="hola", source=Source.CHANNEL))
    assert re.search(rf"^{words} · esperan etiquetas: {messages} ", await ask(inside, store, tmp_path, published), re.MULTILINE)
