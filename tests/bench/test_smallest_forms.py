"""Each bench runs, in its smallest form, and what it reports follows from what happened.

Not here: what takes longer than ten seconds even so (`serving` and `systems.celery` load a network of BETO's shape or need a
worker of their own, `simulator-load` waits for a redelivery, `machine.everything` trains). `training` is run beside its own
subject, `growth` and `chaos` likewise.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from model.labels import seed_taxonomy
from model.learning.dataset import divide, seed_messages
from model.learning.training import train
from model.serving import classifier
from model.store.store import Store
from tests.bench import (
    corrections,
    data,
    first_start,
    install,
    journey,
    learning_curve,
    machine,
    noise,
    observed,
    routes,
    scale,
    shape,
    systems,
)
from tests.bench.__main__ import bench
from tests.conftest import missing
from tests.prometheus import program
from tests.rows import count
from tests.town import Town, publish_version, running_town


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    """Everything runs, as under `machine.everything`, with a version that is trained already."""
    home = tmp_path_factory.mktemp("bench")
    with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version, http=False) as made:
        yield made


def test_the_journey_times_each_message_to_its_reply(fresh: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Light and saturated are told apart, and the processes' time is their own."""
    monkeypatch.setattr(journey, "REST_S", 0.1)
    monkeypatch.setattr(journey, "CHANNELS", ("general", "reclamos"))
    rest, light, saturated = asyncio.run(journey._journeys(fresh.url, fresh.machine, 12, 1, 4.0, chat=False))
    assert rest.latencies == {}
    assert (len(light.latencies), len(saturated.latencies)) == (4, 12)
    assert light.seconds >= 0.75  # four of them, a quarter of a second apart
    in_model = journey.model_seconds(fresh.store)
    for phase in (light, saturated):
        assert all(0 < in_model[ts] < seconds for ts, seconds in phase.latencies.items())
        assert set(phase.cpu) == {*fresh.processes, "people", "network"}
        assert 0 < phase.cpu["network"] <= sum(in_model[ts] for ts in phase.latencies) + 0.01
        assert phase.counted["replies transactions"] >= len(phase.latencies)
        assert phase.cpu["people"] > 0


def test_the_corrections_time_each_redrawn_reply_and_count_what_is_kept(fresh: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reaction that is refused, since it is there already, is no reaction that was lost."""
    monkeypatch.setattr(corrections, "CHANNELS", ("atencion",))
    monkeypatch.setattr(corrections, "ALONE", 3)
    before = count(fresh.store, "gestures")
    latencies, kept_per_s = asyncio.run(corrections._corrections(fresh.url, fresh.machine.home, 8))
    assert len(latencies) == 3
    assert all(0 < each < 20 for each in latencies)
    assert count(fresh.store, "gestures") - before == 3 + 8
    assert corrections.count_gestures(fresh.store) == count(fresh.store, "gestures")
    assert kept_per_s > 0


def test_the_way_to_a_mention_is_timed_by_slacks_own_stamps(fresh: Town) -> None:
    """Each card belongs to one message; a message without a label has none."""
    latencies = asyncio.run(routes._cards(fresh.url, fresh.store, 4, 4.0))
    assert 1 <= len(latencies) <= 4
    assert all(0 < each < 30 for each in latencies)


def test_the_systems_that_are_compared_answer_for_the_same_version(
    trained_version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison with a system that answers nothing would be won by nobody."""
    monkeypatch.setenv("BETO_HOME", str(tmp_path))
    monkeypatch.setenv("BETO_DEVICE", "cpu")
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    number = publish_version(store, trained_version)
    store.close()
    text = "perdí mi tarjeta de crédito"
    labels = set(json.loads((trained_version / "card.json").read_text(encoding="utf-8"))["labels"])
    with systems.direct(trained_version) as ours:
        given: Any = ours.ask(ours.prepare(text))  # each system has an answer of its own kind
    prediction, seconds = given
    assert (prediction.version, set(prediction.scores)) == (number, labels)
    assert seconds > 0
    with systems.pipeline(trained_version) as theirs:
        answered: Any = theirs.ask(theirs.prepare(text))
    [scores] = answered
    assert {each["label"] for each in scores} == labels
    assert next(iter(systems.installed())) == "pipeline"


def test_the_learning_curve_draws_as_many_messages_as_it_says(tmp_path: Path) -> None:
    """A point of the curve is worth what its size is."""
    said = [(f"perdí la tarjeta {n}", ["tarjetas"]) for n in range(6)] + [(f"el cajero {n} no da", ["cajeros"]) for n in range(6)]
    rows = "".join(json.dumps({"text": text, "labels": labels}) + "\n" for text, labels in said)
    for name in ("train", "dev"):
        (tmp_path / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    found = learning_curve.measure(data=tmp_path, base="mini", seeds=[0], sizes=["10"])
    [run] = found["runs"]
    assert (run["messages"], run["seed"]) == (10, 0)
    assert all(0 <= run[system]["micro_f1"] <= 100 for system in ("version", "encoder", "baseline", "svc"))


def test_without_other_data_the_shipped_messages_are_learnt_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data beside the repository is nobody else's: without it the same command still runs, and says what it measured."""
    monkeypatch.setattr(data, "BANKING", tmp_path / "none")
    found = data.find_data(None)
    assert (found.name, len(found.taxonomy.names)) == ("the shipped messages", 14)
    assert not {example.text for example in found.learnt} & {example.text for example in found.judged}
    assert "the shipped messages" in capsys.readouterr().err


def test_the_first_start_tells_its_parts_and_its_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second belongs to one part, and a version behind the yardsticks is told to be so."""
    few = {split: examples[:24] for split, examples in divide(seed_messages()[:300]).items()}
    monkeypatch.setattr(first_start, "seed_examples", lambda: few)
    found = first_start.measure(base="mini", seed=0)
    parts = [found["seconds"][part]["wall"] for part in ("beginning", "epochs", "evaluation and graph")]
    assert found["seconds"]["all"]["wall"] == pytest.approx(sum(parts))
    assert min(parts[:2]) > 0
    best = max(found["scores"][name]["micro_f1"] for name in ("baseline", "svc"))
    assert found["ahead_of_the_best_yardstick"] == pytest.approx(found["scores"]["version"]["micro_f1"] - best, abs=0.05)


def test_a_network_of_betos_shape_goes_the_whole_way_by_the_same_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BETO itself cannot be had here, so that nobody would notice if its road were closed."""
    few = {"hidden_size": 320, "num_hidden_layers": 5, "num_attention_heads": 4, "intermediate_size": 320}
    monkeypatch.setattr(shape, "SHAPE", {**shape.SHAPE, **few})
    monkeypatch.setattr(shape, "VOCABULARY", 6000)
    some = seed_messages()[:100]
    monkeypatch.setattr(shape, "seed_messages", lambda: some)
    called = CliRunner().invoke(bench, ["shape", str(tmp_path / "beto-shape")])
    assert called.exit_code == 0, called.output
    splits = {split: examples[:12] for split, examples in divide(some).items()}
    card = train(
        splits["train"],
        splits["dev"],
        test=splits["test"],
        taxonomy=seed_taxonomy(),
        base=str(tmp_path / "beto-shape"),
        out=tmp_path / "v",
        epochs=1,
        device="cpu",
    )
    assert (card.base, card.settings["trained_layers"], card.settings["learns_dev_too"]) == ("beto-shape", 4, True)
    assert card.forms[0].form == "int8"
    served = classifier.load(tmp_path / "v", device="cpu")
    assert served.engine.form == card.forms[-1].form
    [answered] = served.predict(["perdí mi tarjeta de crédito"])
    assert set(answered.scores) == set(card.labels)
    assert card.scores["test"].texts == 12


def test_the_dashboard_says_what_is_in_the_database(fresh: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator sees the figures alone, and calls people at night because of them."""
    if program("prometheus") is None:
        missing("Prometheus")
    monkeypatch.setattr(observed, "JUDGED", 4)
    found = observed.observe_load(fresh, tmp_path, 8, tmp_path / "panels.png")
    assert (found["unequal"], found["raised"]) == ([], [])
    assert found["figures"]["messages stored"]["truth"] >= 8
    assert found["panels"]["From a message to its reply"] == 6
    assert (tmp_path / "panels.png").stat().st_size > 50_000


def test_the_install_of_the_readme_ends_with_an_answer_in_slack() -> None:
    """Link, setup, doctor, up, and the words that setup says to write: whoever follows the page must arrive."""
    found = install.measure(bare=False, base="mini", labelled=False)
    assert [step["step"].partition(":")[0] for step in found["steps"]] == [
        "the link", "beto setup", "beto doctor", "beto up, until the bot hears Slack", "'@beto hola', until it is answered",
    ]  # fmt: skip
    assert "/beto" in found["answers"][0]


def test_a_day_is_counted_by_how_its_channel_shows_labels(fresh: Town) -> None:
    """A thread for every message, or emoji, or nothing but what somebody asked for: that is the whole difference."""
    # After the dashboard: replies that come where an emoji stood first are in the database, and nobody times them.
    found = asyncio.run(noise._days(fresh.url, fresh.store, 6))
    assert found["thread"]["threads"] == 6
    assert found["emoji"]["threads"] < 6
    assert found["quiet"] | {"other posts": 0, "cards": 0} == dict.fromkeys(noise.COLUMNS, 0)
    assert found["thread"]["notifications"] >= found["thread"]["replies"] >= 6
    assert found["thread"]["cards"] == found["emoji"]["cards"] == found["quiet"]["cards"]


def test_several_workers_share_what_is_there_and_each_message_is_predicted_once(fresh: Town) -> None:
    """A worker that takes nothing would be paid for nothing, and a share that is counted twice would flatter us."""
    second = fresh.machine.start("worker-2", "worker")
    fresh.machine.wait_ready(second, 60)
    both = [fresh.processes["worker"], second]
    redis = {"redis": scale._pid(fresh.machine.processes[0])}
    for a_second in (None, 200.0):
        found = scale.share(fresh.machine, fresh.store, both, 40, others=redis, a_second=a_second)
        assert sum(found["each"]) == 40
        assert 0.5 <= found["fairness"] <= 1  # of two: 0.5 is all by one
        assert found["cpu_ms_a_message"]["workers"] > 0
    assert 0 < found["wait_p50_ms"] <= found["wait_p95_ms"]


def test_the_machine_says_what_it_is_and_what_was_spent(fresh: Town) -> None:
    """Numbers without the machine beside them mean nothing."""
    facts = machine.machine_facts()
    assert facts["cores"] == os.cpu_count()
    assert set(facts["versions"]) == {"beto-bot", "torch", "transformers", "celery", "slack-bolt"}
    before = machine.cpu_seconds(fresh.machine)
    assert set(before) == {*(each.name for each in fresh.machine.processes), "people"}
    until = os.times().user + 0.05
    while os.times().user < until:
        pass
    assert machine.cpu_seconds(fresh.machine)["people"] > before["people"]


def test_milliseconds_are_those_of_the_percentile() -> None:
    """A p99 that is the median would flatter us."""
    values = [n / 1000 for n in range(100, 0, -1)]
    assert machine.milliseconds(values, 50) == 50.5
    assert machine.milliseconds(values, 99) == 100.0
    assert machine.milliseconds([0.002], 99) == 2.0
    assert machine.milliseconds([], 50) == 0.0
