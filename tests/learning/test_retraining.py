"""A run from its snapshot to its verdict: what goes live, what does not, and what a killed process leaves behind."""

import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning import retraining
from model.learning.dataset import SPLITS, seed_messages, split_of
from model.learning.retraining import run_training, snapshot
from model.schema import Example, Message, Source
from model.serving.classifier import load
from model.serving.version_folder import verify
from model.settings import ModelSettings
from model.store.registry import Registry
from model.store.store import Store
from model.text_key import text_key
from tests.learning.cheques import CORRECTED
from tests.town import publish_version
from worker.settings import WorkerSettings
from worker.trainer import why_due

# Some of the shipped messages: these tests are about runs, and a run on all of them takes half a minute.
FEW = 100


@pytest.fixture(autouse=True)
def few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    few = seed_messages()[:FEW]
    monkeypatch.setattr(retraining, "seed_messages", lambda: few)


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: what differs between databases is tested where the tables are, and each of these trains."""
    return f"sqlite:///{tmp_path / 'beto.db'}"


@pytest.fixture
def settings(tmp_path: Path, store_url: str) -> ModelSettings:
    return ModelSettings(home=tmp_path, database_url=store_url, base="mini", device="cpu")


@pytest.fixture
def registry(store: Store, settings: ModelSettings) -> Registry:
    return store.registry


def train(store: Store, settings: ModelSettings, **how: bool) -> int:
    run_id, new = store.runs.open("U1", **how)
    assert new
    run_training(store, settings, run_id)
    return run_id


def teach(store: Store, texts: tuple[str, ...], label: str = "cuenta") -> None:
    store.examples.save([(text_key(text), Example(text=text, labels=(label,))) for text in texts])


def correct(store: Store, text: str, ts: str) -> None:
    store.messages.save(Message(channel="C1", ts=ts, user="U1", text=text, source=Source.CHANNEL))
    gesture = Gesture(user="U1", handle=f"h/{ts}", at=time.time_ns() // 1000, kind=Kind.SET, labels=("cuenta",))
    store.gestures.add(gesture, channel="C1", item_ts=ts)


def test_what_is_better_goes_live_unless_it_is_a_rehearsal_or_people_decide(
    store: Store, registry: Registry, settings: ModelSettings
) -> None:
    """And its report says with what it was compared, and how much of what it learnt people had corrected since."""
    correct(store, CORRECTED[0], "1.1")
    rehearsal = store.runs.get(train(store, settings, dry=True))
    assert (rehearsal.status, rehearsal.error) == ("done", None)
    assert rehearsal.report.verdict.promote
    assert not rehearsal.report.promoted
    assert registry.live() is None
    first = store.runs.get(train(store, settings))
    assert "first" in {reason.code for reason in first.report.verdict.reasons}
    assert registry.live().number == first.report.version == 2
    assert (first.report.corrections, first.report.absorbed) == (1, 0)

    for number, text in enumerate(CORRECTED[1:3]):
        correct(store, text, f"2.{number}")
    store.examples.save([(text_key(example.text), example) for example in seed_messages()[FEW : 2 * FEW]])
    asked = store.runs.get(train(store, settings.model_copy(update={"promotion": "ask", "label_margin": 1.0})))
    assert asked.report.live == 2
    assert (asked.report.corrections, asked.report.absorbed) == (3, 2)
    assert asked.report.verdict.promote
    assert not asked.report.promoted
    assert registry.live().number == 2
    assert registry.made_by(asked.id).card.parent == 2
    assert set(asked.report.comparison.per_label) == set(registry.live().card.labels)

    assert not list(registry.versions_folder.glob("run-*"))
    for version in registry.all():
        assert verify(version.folder).version == version.number
    # Redis may deliver the task again hours later.
    run_training(store, settings, asked.id)
    assert len(registry.all()) == 3


def test_what_is_worse_is_kept_and_does_not_go_live(
    store: Store, registry: Registry, settings: ModelSettings, trained_version: Path
) -> None:
    """A spreadsheet with the columns shifted must not reach the people; its report says why."""
    publish_version(store, trained_version)
    mislabel(store, registry.live().card.labels)
    run = store.runs.get(train(store, settings))
    assert run.status == "done"
    assert not run.report.verdict.promote
    assert any(not reason.good for reason in run.report.verdict.reasons)
    assert registry.live().number == 1
    assert [version.number for version in registry.all()] == [1, 2]


def mislabel(store: Store, names: tuple[str, ...]) -> None:
    """As a spreadsheet with its columns shifted would."""
    wrong = random.Random(0)
    shifted = [
        example.model_copy(update={"labels": tuple(wrong.sample(names, 2))})
        for example in seed_messages()[FEW : 2 * FEW]
        if split_of(example.text) == "train"
    ]
    store.examples.save([(text_key(example.text), example) for example in shifted])


def damage(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])


def test_where_the_live_version_is_broken_the_candidate_must_beat_the_one_that_serves(
    store: Store, registry: Registry, settings: ModelSettings, trained_version: Path
) -> None:
    """Workers refuse a broken version and serve the last good one; a worse candidate must not slip in as "the first"."""
    for _ in range(2):
        publish_version(store, trained_version)
    damage(registry.live().folder)
    mislabel(store, registry.live().card.labels)
    report = store.runs.get(train(store, settings)).report
    assert report.live == 1
    assert "first" not in {reason.code for reason in report.verdict.reasons}
    assert report.comparison.micro_gain.value < 0
    assert not report.promoted
    assert registry.live().number == 2


def test_where_no_version_can_be_loaded_people_decide(
    store: Store, registry: Registry, settings: ModelSettings, trained_version: Path
) -> None:
    """A worker may still hold a good version in memory: nothing takes its place without having been compared."""
    publish_version(store, trained_version)
    damage(registry.live().folder)
    mislabel(store, registry.live().card.labels)
    report = store.runs.get(train(store, settings)).report
    assert report.live is None
    assert [(reason.code, reason.good) for reason in report.verdict.reasons if not reason.good] == [("live_broken", False)]
    assert not report.promoted
    assert registry.live().number == 1


def test_a_base_that_is_gone_fails_with_the_reason_and_leaves_nothing(
    store: Store, registry: Registry, settings: ModelSettings
) -> None:
    run = store.runs.get(train(store, settings.model_copy(update={"base": str(settings.home_folder / "gone")})))
    assert run.status == "failed"
    assert "gone" in run.error
    assert registry.all() == []
    assert not list(registry.versions_folder.glob("run-*"))
    assert store.runs.open("U1")[1]


@pytest.fixture
def killed_when_evaluating(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def die(*_: object, **__: object) -> None:
        raise SystemExit(1)

    monkeypatch.setattr(retraining, "_evaluate_candidate", die)
    return monkeypatch


def test_a_run_that_is_taken_up_after_its_version_was_made_makes_no_second_one(
    store: Store, registry: Registry, settings: ModelSettings, killed_when_evaluating: pytest.MonkeyPatch
) -> None:
    """And nothing is live without a verdict."""
    run_id, _ = store.runs.open("U1")
    with pytest.raises(SystemExit):
        run_training(store, settings, run_id)
    assert [version.number for version in registry.all()] == [1]
    assert registry.live() is None
    assert store.runs.get(run_id).status == "queued"
    killed_when_evaluating.undo()
    killed_when_evaluating.setattr(retraining, "seed_messages", lambda: seed_messages()[:FEW])
    run_training(store, settings, run_id)
    assert [version.number for version in registry.all()] == [1]
    assert registry.live().number == 1
    assert store.runs.get(run_id).status == "done"


def test_a_run_that_is_taken_up_learns_from_what_it_began_with(
    store: Store, registry: Registry, settings: ModelSettings, killed_when_evaluating: pytest.MonkeyPatch
) -> None:
    """What is judged meanwhile is for the next run: one run has one set of data, and its hash is in the card."""
    run_id, _ = store.runs.open("U1")
    with pytest.raises(SystemExit):
        run_training(store, settings, run_id)
    files = sorted((registry.versions_folder / f"run-{run_id}").glob("*.jsonl"))
    before = [file.read_bytes() for file in files]
    assert len(before) == len(SPLITS)
    teach(store, CORRECTED)
    with pytest.raises(SystemExit):
        run_training(store, settings, run_id)
    assert [file.read_bytes() for file in files] == before


def test_a_text_never_changes_its_split(store: Store) -> None:
    """Whatever is imported, judged or withdrawn later: what was tested on must never be trained on."""
    teach(store, CORRECTED[:20])
    before = {text_key(example.text): split for split, examples in snapshot(store).items() for example in examples}
    # Near-duplicates, some of which a hash would put elsewhere and which come earlier in the order of imports.
    teach(store, tuple(f"{text} {word}" for text in CORRECTED[:20] for word in ("ya", "pues", "oigan", "gracias")))
    teach(store, CORRECTED[20:])
    after = {text_key(example.text): split for split, examples in snapshot(store).items() for example in examples}
    assert {key: after[key] for key in before} == before
    for text in CORRECTED[:20]:
        longer = f"{text} pues"
        if len(text) > 40:
            assert after[text_key(longer)] == after[text_key(text)]


def judge(store: Store, count: int, first: int = 0) -> None:
    gestures = store.gestures
    for number in range(first, first + count):
        ts = f"1700000000.{number:06d}"
        store.messages.save(Message(channel="C1", ts=ts, user="U1", text=CORRECTED[number], source=Source.CHANNEL))
        gesture = Gesture(user="U1", handle=f"reaction/U1/{ts}/bank", at=number + 1, kind=Kind.LABEL, labels=("cuenta",))
        gestures.add(gesture, channel="C1", item_ts=ts)


def finish_a_run(store: Store) -> None:
    run_id, _ = store.runs.open("U1")
    store.runs.start(run_id, "somebody")
    store.runs.note_version(run_id, "somebody", 1, 10)
    assert store.runs.close(run_id, "somebody", "done")


def test_a_run_is_due_after_so_many_new_judgements(store: Store, settings: ModelSettings) -> None:
    """Off until it is set; never while one is open; counted from the last run that made a version."""
    finish_a_run(store)
    after_ten = WorkerSettings(home=settings.home, database_url=settings.database_url, retrain_after=10)
    judge(store, 9)
    assert why_due(store.runs, after_ten) is None
    judge(store, 1, first=9)
    assert why_due(store.runs, after_ten) == "10 new judgements"
    assert why_due(store.runs, after_ten.model_copy(update={"retrain_after": 0})) is None
    finish_a_run(store)
    assert why_due(store.runs, after_ten) is None


def test_a_run_is_due_on_a_schedule_only_when_somebody_judged(store: Store, settings: ModelSettings) -> None:
    finish_a_run(store)
    daily = WorkerSettings(home=settings.home, database_url=settings.database_url, retrain_every_h=24)
    asked_at = store.runs.last().requested_at
    assert why_due(store.runs, daily, asked_at.replace(year=asked_at.year + 1)) is None
    judge(store, 1)
    assert why_due(store.runs, daily, asked_at) is None
    assert "hours since the last run" in why_due(store.runs, daily, asked_at.replace(year=asked_at.year + 1))


def test_old_versions_make_room_but_never_the_live_one_nor_the_one_before(
    store: Store, registry: Registry, trained_version: Path
) -> None:
    for _ in range(3):
        publish_version(store, trained_version)
    registry.promote(1, by="U1", reason="")
    for _ in range(3):
        built = registry.run_directory(0) / "version"
        shutil.copytree(trained_version, built)
        registry.add(built, verify(built))
    assert registry.remove_old(keep=2) == [4, 2]
    assert [version.number for version in registry.all()] == [1, 3, 5, 6]
    assert registry.live().number == 1
    assert registry.before_live().number == 3
    assert sorted(path.name for path in registry.versions_folder.glob("v*")) == ["v1", "v3", "v5", "v6"]


def test_versions_are_compared_at_like_thresholds_and_preferred_labels_as_they_serve(trained_version: Path) -> None:
    """The version that is live may have been trained with other preferences, or before there were any."""
    classifier = load(trained_version, device="cpu")
    texts = [example.text for example in seed_messages()[:60]]
    plain, eager = (
        retraining._answers(classifier.preferring({"fraude": wanted}), texts, classifier.labels, taxonomy)
        for wanted, taxonomy in (
            ("balance", seed_taxonomy()),
            ("precision", seed_taxonomy().with_preferences({"fraude": "recall"})),
        )
    )
    at = classifier.labels.index("fraude")
    assert (plain.given == eager.given).all()
    assert plain.preferred is not None
    assert (plain.preferred == plain.given).all()
    assert eager.preferred is not None
    assert eager.preferred[:, at].sum() > eager.given[:, at].sum()
    assert (np.delete(eager.preferred, at, 1) == np.delete(eager.given, at, 1)).all()
