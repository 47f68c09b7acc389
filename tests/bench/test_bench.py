"""What the benches measure with is what they say it is."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

from tests.bench import headlines, serving, shape
from tests.bench.__main__ import bench


def test_the_texts_are_as_long_as_chat_messages_are() -> None:
    """Other lengths would show another ratio: padding costs nothing where all texts are equally long."""
    words = sorted(len(text.split()) for text in shape.chat(2000))
    assert shape.chat(20) == shape.chat(20) != shape.chat(20, seed=1)
    assert 10 <= statistics.median(words) <= 16
    assert 50 <= words[1900] <= 65
    assert words[-1] <= 500 / 1.4


def test_the_operations_are_those_that_the_network_needs() -> None:
    """A limit that is counted too low would make us look better than we are."""
    small: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128}
    eager: dict[str, Any] = {"attn_implementation": "eager"}  # the counter knows no fused attention
    config = transformers.BertConfig(vocab_size=99, **small, **eager)
    network = transformers.BertForSequenceClassification(config).eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(input_ids=torch.ones(1, 20, dtype=torch.long))
    # Of the last layer, only the first token's query, attention, output and feed-forward are needed.
    spared = 2 * 19 * (2 * 64**2 + 2 * 64 * 128) + 4 * 19 * 20 * 64
    classifier = 2 * 64 * 2
    assert serving._flop(20, small) == counter.get_total_flops() - spared - classifier


def test_a_ratio_that_fell_by_a_fifth_is_told() -> None:
    """So is one that there is none of any more; what moves less is the hour's."""
    before = {"same": 2.0, "a little less": 10.0, "fell": 10.0, "gone": 1.0}
    now = {"same": 2.0, "a little less": 8.5, "fell": 7.9, "new": 1.0}
    assert headlines.falls(before, now) == ["FELL  fell: 10.00 -> 7.90", "NOT MEASURED  gone (last time 1.00)"]


def test_a_bench_that_does_not_end_is_told_and_compared_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the others' ratios were lost with it, and its own fall was never seen."""
    monkeypatch.setattr(headlines, "PATIENCE_S", 0.01)
    monkeypatch.setattr(headlines, "QUICK", {("serving",): (headlines.Headline("speed", float),)})
    last = tmp_path / "last.json"
    last.write_text(json.dumps({"ratios": {"speed": 9.0}}), encoding="utf-8")
    assert headlines.measure(last)["ratios"] == {}
    told = capsys.readouterr().err
    assert "FAILED  serving: not over after 0.01 s" in told
    assert "NOT MEASURED  speed (last time 9.00)" in told
    assert json.loads(last.read_text("utf-8"))["ratios"] == {"speed": 9.0}


def test_each_quick_form_is_one_that_its_bench_takes() -> None:
    """Else it would be seen after minutes."""
    for name, *options in headlines.QUICK:
        command = bench.commands[name]
        command.make_context(name, options)
