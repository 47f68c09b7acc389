"""Which version is live, what that makes of the others, and that whoever told of them says so."""

from pathlib import Path

import pytest

from model.schema import Standing
from model.store.outbox_row import State, report_key, status_key
from model.store.registry import BY_TRAINING
from model.store.runs import owner_name
from model.store.store import Store
from tests.outbox_rows import a_report, add_version


@pytest.fixture
def versions(store: Store, trained_version: Path) -> Store:
    """A store with three versions, each of a run that is told in full, and none of them live."""
    for _ in range(3):
        run_id, _ = store.runs.open("U0ANA", channel="C1")
        owner = owner_name()
        assert store.runs.start(run_id, owner)
        version = add_version(store, trained_version, run_id)
        store.runs.note_version(run_id, owner, version, 9)
        assert store.runs.close(run_id, owner, "done", report=a_report(version))
        tell(store, run_id)
    return store


def tell(store: Store, run_id: int) -> None:
    """As a replies process would."""
    for key in (status_key(run_id), report_key(run_id)):
        claim = store.outbox.claim(key, "test", 60)
        if claim is not None:
            store.outbox.record(key, "test", wanted=claim.row.wanted, ts=f"{run_id}.{key[:6]}")


def due(store: Store) -> set[str]:
    """What is to be told anew, at once."""
    overdue = {row.key for row in store.outbox.overdue()}
    rows = [store.outbox.get(key(run_id)) for run_id in (1, 2, 3) for key in (status_key, report_key)]
    return {row.key for row in rows if row is not None and row.state is State.DUE and row.key in overdue}


def test_after_a_promotion_whoever_told_of_the_two_versions_tells_what_is_true_now(versions: Store) -> None:
    """The status still said that the version is kept and does not answer, beside a report that said that it does.

    Whoever promotes: a button, `/beto vuelve`, the command line, a training that is killed right after it.
    """
    registry = versions.registry
    assert due(versions) == set()
    registry.promote(1, by="U0ANA", reason="button")
    assert due(versions) == {status_key(1), report_key(1)}
    tell(versions, 1)
    registry.promote(2, by="command line", reason="beto rollback")
    assert due(versions) == {status_key(1), report_key(1), status_key(2), report_key(2)}
    for run_id in (1, 2):
        tell(versions, run_id)
    registry.promote(2, by="U0ANA", reason="again")
    assert not registry.promote(3, by="U0ANA", reason="late", instead_of=1)
    assert due(versions) == set()  # nothing changed


def test_a_version_whose_files_were_removed_is_told_to_be_so(versions: Store) -> None:
    """Its report offered a button that could not do what it says."""
    versions.registry.promote(3, by="U0ANA", reason="button")
    tell(versions, 3)
    assert versions.registry.remove_old(1) == [2, 1]
    assert due(versions) == {key(run_id) for run_id in (1, 2) for key in (status_key, report_key)}
    assert versions.registry.standing(2) == Standing(is_kept=False)


def test_how_a_version_stands(versions: Store) -> None:
    """What a report says of it, and where its button leads back to, is read off all promotions."""
    registry = versions.registry
    assert registry.standing(1) == Standing()
    registry.promote(1, by="U0ANA", reason=f"{BY_TRAINING}1: micro-F1 0.8")
    assert registry.standing(1) == Standing(is_live=True, was_live=True)
    registry.promote(2, by="U0LUIS", reason="button under run 2")
    assert registry.standing(1) == Standing(was_live=True, by="U0LUIS")
    assert registry.standing(2) == Standing(is_live=True, was_live=True, by="U0LUIS", before=1)
    registry.promote(3, by="beto", reason=f"{BY_TRAINING}3: micro-F1 0.9")
    assert registry.standing(2) == Standing(was_live=True)
    assert registry.standing(1) == Standing(was_live=True, by="U0LUIS")
    registry.promote(2, by="U0ANA", reason="/beto vuelve")
    assert registry.standing(2) == Standing(is_live=True, was_live=True, by="U0ANA", before=3)
    assert registry.standing(9) == Standing(is_kept=False)


def test_the_run_that_made_a_version_is_found_by_it(versions: Store) -> None:
    """What was found when it was evaluated is asked before somebody puts it to work."""
    made = versions.runs.that_made(2)
    assert made is not None
    assert made.id == 2
    assert versions.runs.that_made(7) is None
