"""Every sentence that the code asks for exists in both languages, also where its name is put together."""

import re
from pathlib import Path
from typing import get_args

import pytest

from bot.slack.history import GESTURE_KEYS
from bot.slack.listeners.commands import MODE_KEYS
from bot.views import label_blocks, label_standing, run_blocks
from bot.views.texts import Texts, load_texts
from model.judgements import Kind, Status
from model.labels import LabelEvent
from model.schema import Preference, Progress, Reason
from model.store.channels import Frequency, Mode
from model.store.reviews import Reason as ReviewReason

ROOT = Path(__file__).parents[2]
LANGUAGES = ("es", "en")
# Where a key is an f-string: all values that it can have.
PUT_TOGETHER = {
    "reply.{status}": [f"reply.{status}" for status in get_args(Status) if status not in {"predicted", "unjudged"}],
    "labels.{standing.state}": [f"labels.{state}" for state in get_args(label_standing.State)],
    "labels.{act}": [f"labels.{act}" for act in label_blocks.ACTS],
    "labels.field_{name}": [f"labels.field_{name}" for name in label_blocks.FIELDS],
    "labels.hint_{name}": [f"labels.hint_{name}" for name in label_blocks.FIELDS],
    "labels.prefer_{preference}": [f"labels.prefer_{preference}" for preference in get_args(Preference)],
    "labels.prefer_{found.preference}": [f"labels.prefer_{preference}" for preference in get_args(Preference)],
    "told.label_prefers_{event.label.prefer}": ["told.label_prefers_recall", "told.label_prefers_precision"],
    "labels.did_{event.kind}": [
        f"labels.did_{kind}" for kind in get_args(LabelEvent.model_fields["kind"].annotation) if kind != "undo"
    ],
    "first.{progress.part}": [f"first.{part}" for part in get_args(Progress.model_fields["part"].annotation)],
    "run.{progress.part}": [f"run.{part}" for part in get_args(Progress.model_fields["part"].annotation)],
    "summary.post_{every}": [f"summary.post_{each}" for each in get_args(Frequency)],
    "summary.told_{how}": [f"summary.told_{each}" for each in (*get_args(Frequency), "never")],
    "summary.chosen_{how}": [f"summary.chosen_{each}" for each in (*get_args(Frequency), "never")],
    "review.why_{shown.reason}": [f"review.why_{reason}" for reason in ReviewReason],
    "agreement.{level}": ["agreement.good", "agreement.fair", "agreement.low"],
    "portion.set_{kind}": ["portion.set_own", "portion.set_channel"],
    "portion.stopped_{kind}": ["portion.stopped_own", "portion.stopped_channel"],
    "run.step_{step}": [f"run.step_{step}" for step in run_blocks.STEPS],
    "run.step_{progress.part}": [f"run.step_{part}" for part in get_args(Progress.model_fields["part"].annotation)],
    "run.plan_{run.status}": ["run.plan_queued", "run.plan_running", "run.plan_failed"],
    "run.reason_{reason.code}": [f"run.reason_{code}" for code in get_args(Reason.model_fields["code"].annotation)],
}
LOOKED_UP = [*GESTURE_KEYS.values(), *MODE_KEYS.values()]
KEY = re.compile(
    r'f?"((?:reply|digest|ask|command|first|forget|greeting|home|modal|judge|run|told|versions|labels|summary|figures|drift|thanks|review|agreement|guide|lead|portion)\.[a-z_{}.]+)"'
)


@pytest.fixture(params=LANGUAGES)
def texts(request: pytest.FixtureRequest) -> Texts:
    return load_texts(request.param)


def keys_in_the_code() -> dict[str, Path]:
    found = {}
    for folder in ("slack", "outbox", "views"):
        for path in sorted((ROOT / "bot" / folder).rglob("*.py")):
            found.update(dict.fromkeys(KEY.findall(path.read_text(encoding="utf-8")), path))
    return found


def test_every_key_in_the_code_has_its_sentence(texts: Texts) -> None:
    """A missing one is an error in front of a person, or a task that is tried again for ever."""
    found = keys_in_the_code()
    assert len(found) > 80, "the pattern no longer finds the keys"
    plain = {key for key in found if "{" not in key}
    assert {key for key in plain if key not in texts.sentences} == set()


def test_every_key_that_is_put_together_has_its_sentences(texts: Texts) -> None:
    """Whoever adds a reason, a status or a mode must add its sentence, and whoever adds such a key names its values here."""
    assert {key for key in keys_in_the_code() if "{" in key} == PUT_TOGETHER.keys()
    wanted = [*LOOKED_UP, *(key for keys in PUT_TOGETHER.values() for key in keys)]
    assert [key for key in wanted if key not in texts.sentences] == []


def test_what_is_counted_has_its_singular(texts: Texts) -> None:
    """`1 mensajes` is wrong in both languages."""
    counted = {
        key
        for path in (ROOT / "bot").rglob("*.py")
        for call in re.findall(r"\.counted\(([^()]+)", path.read_text(encoding="utf-8"))
        for key in re.findall(r'"([a-z]+\.[a-z_]+)"', call)
    }
    assert counted
    assert {key.removesuffix("_one") for key in texts.sentences if key.endswith("_one")} == counted
    assert {key for key, words in texts.sentences.items() if "{count}" in words and not key.endswith("_one")} <= counted


def test_every_gesture_and_every_mode_is_named() -> None:
    """The tables by which they are looked up."""
    assert set(GESTURE_KEYS) == set(Kind)
    assert {mode for mode, _ in MODE_KEYS} == set(get_args(Mode))
