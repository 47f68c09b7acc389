"""Which channels are told of a change that concerns them all: with the change, whoever made it, once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from model.labels import LabelEvent, seed_taxonomy
from model.schema import Card
from model.store.announcements import label_key, promotion_key
from model.store.outbox_row import Kind, State
from model.store.store import Store
from model.store.tables import outbox

WATCHED, ALSO_WATCHED, OTHER = "C1", "C2", "C3"


@pytest.fixture
def versions(store: Store, trained_version: Path) -> Store:
    """A store with two versions, of which the first is live, and two channels that are watched."""
    for channel in (WATCHED, ALSO_WATCHED):
        store.channels.set_mode(channel, "auto")
    store.channels.set_mode(OTHER, "mention")
    for _ in range(2):
        built = store.registry.run_directory(0) / "version"
        shutil.copytree(trained_version, built)
        store.registry.add(built, Card.model_validate_json((built / "card.json").read_text(encoding="utf-8")))
    store.registry.promote(1, by="beto", reason="the first")
    return store


def announced(store: Store) -> dict[str, Any]:
    """What is to be told, by the row's key."""
    with store.database.reading() as connection:
        rows = connection.execute(outbox.select().where(outbox.c.kind == Kind.ANNOUNCEMENT)).all()
    assert all(row.state == State.DUE and row.retry_at is not None for row in rows)  # the sweep finds it
    assert all(row.key.endswith(f":{row.channel}") for row in rows)
    return {row.key: row.content for row in rows}


def test_the_first_version_is_no_news(versions: Store) -> None:
    """There is nothing to go back to, and its answers tell of themselves."""
    assert announced(versions) == {}


@pytest.mark.parametrize("asked_in", [None, WATCHED, OTHER, "D1"])
def test_a_promotion_is_told_where_every_message_is_labelled_and_where_it_was_asked_for(
    versions: Store, asked_in: str | None
) -> None:
    """`/beto vuelve` answered its person alone: nobody else learnt that another version answers."""
    versions.registry.promote(2, by="U1", reason="/beto vuelve", asked_in=asked_in)
    told = [WATCHED, ALSO_WATCHED, *([OTHER] if asked_in == OTHER else [])]
    content = {"promotion": {"version": 2, "before": 1, "by": "U1", "learnt": False}}
    assert announced(versions) == {promotion_key(2, channel): content for channel in told}
    versions.registry.promote(2, by="U2", reason="again", asked_in=asked_in)
    assert len(announced(versions)) == len(told)  # nothing changed


def test_what_a_run_promotes_is_told_elsewhere_too(versions: Store) -> None:
    """Where the run was asked for its status message says so already."""
    run = versions.runs.get(versions.runs.open("beto", channel=WATCHED)[0])
    assert run is not None
    versions.registry.promote(2, by=run.requested_by, reason="run 1", run=run)
    content = {"promotion": {"version": 2, "before": 1, "by": "beto", "learnt": True}}
    assert announced(versions) == {promotion_key(2, ALSO_WATCHED): content}


def test_nothing_is_told_of_a_promotion_that_is_not_made(versions: Store) -> None:
    """Somebody was faster: the candidate takes no other version's place."""
    assert not versions.registry.promote(2, by="beto", reason="run 1", instead_of=7)
    assert announced(versions) == {}


def test_a_change_of_the_labels_is_told_where_every_message_is_labelled(versions: Store) -> None:
    """A label that appears or goes changes what everybody reads under every message."""
    event = LabelEvent(kind="retire", name=seed_taxonomy().names[0], at=1, by="U1")
    versions.labels.record(event)
    content = {"labels": [event.model_dump(mode="json")]}
    assert announced(versions) == {label_key(1, channel): content for channel in (WATCHED, ALSO_WATCHED)}


def test_an_undone_change_is_told_by_what_it_leads_to(versions: Store) -> None:
    """A label that is back is to be used again; that its number was undone tells nobody anything."""
    name = seed_taxonomy().names[0]
    versions.labels.record(LabelEvent(kind="retire", name=name, at=1, by="U1"))
    versions.labels.record(LabelEvent(kind="undo", undoes=1, at=2, by="U1"))
    told = announced(versions)[label_key(2, WATCHED)]["labels"]
    assert [(each["kind"], each["name"]) for each in told] == [("restore", name)]


def test_a_new_order_of_the_labels_is_told_nobody(versions: Store) -> None:
    """It changes no answer."""
    versions.labels.record(LabelEvent(kind="order", names=tuple(sorted(seed_taxonomy().names)), at=1, by="U1"))
    assert announced(versions) == {}
