"""One training run: from what people judged to a version in the registry, and whether it goes live.

Every step may be repeated: a run that is taken over after its process was killed goes on where that one stopped.
"""

import logging
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.errors import BadData, BaseUnavailable, BrokenVersion, ModelError, RunCancelled, RunLost, StoreUnavailable
from model.labels import Taxonomy
from model.learning.baseline import load_baseline, truth_of
from model.learning.dataset import SPLITS, data_sha256, divide, read_examples, seed_messages, write_examples
from model.learning.descriptions import WRITTEN
from model.learning.evaluation import score
from model.learning.gate import Answers, compare, decide
from model.learning.hub import require_base
from model.learning.thanks import thank
from model.schema import Blind, Comparison, Example, Flip, Progress, Report, Run, Split
from model.serving.calibration import Matrix
from model.settings import ModelSettings
from model.store.erasure import IMPORTED
from model.store.judged_messages import JudgedMessage
from model.store.registry import BY_TRAINING, Version
from model.store.runs import BEAT_EVERY_S, Runs, owner_name
from model.store.store import Store
from model.text_key import text_key

if TYPE_CHECKING:
    from model.serving.classifier import Classifier

log = logging.getLogger(__name__)

# A step of mini takes milliseconds; nobody sees more than a few bars a second, and each is a transaction.
SHOW_EVERY_S = 0.25
# Among so many of the newest messages, the labels of at most so many are shown as they were and would be.
LOOKED_AT, FLIPS_SHOWN = 200, 10
_EVALUATING = Progress(stage="evaluating", step=1, steps=1)


def snapshot(store: Store) -> dict[Split, list[Example]]:
    """Return everything that can be learnt from now: shipped, imported, and judged in chat, each text in its lasting split.

    What nobody decided about a judged message is unknown; a message with nothing decided is left out.
    """
    key_of = cache(text_key)  # asked for three times of every text
    taxonomy, splits = store.labels.current(), store.examples.splits()
    shipped, imported = shipped_examples(taxonomy), imported_examples(store, taxonomy)
    ours = [*imported, *judged_examples(store)]
    # Those that have their split come first: their near-duplicates join them there.
    ours.sort(key=lambda example: key_of(example.text) not in splits)
    divided = divide([*shipped, *ours], splits)
    mine = {key_of(example.text) for example in ours}
    keys = {key_of(example.text): split for split in SPLITS for example in divided[split]}
    store.examples.save_splits({key: split for key, split in keys.items() if key in mine and key not in splits})
    if taxonomy.absent:
        divided["train"] += _descriptions(taxonomy)
    divided["train"] += [each for each in _guidelines(taxonomy) if keys.get(key_of(each.text)) is None]
    return divided


def shipped_examples(taxonomy: Taxonomy) -> list[Example]:
    """Return the shipped messages in today's labels, in the order that decides their splits."""
    return [_today(example, taxonomy, 0) for example in seed_messages()]


def imported_examples(store: Store, taxonomy: Taxonomy) -> list[Example]:
    """Return the imported messages in today's labels."""
    return [
        _today(example.model_copy(update={"id": IMPORTED + text_key(example.text)}), taxonomy, int(at.timestamp() * 1e6))
        for example, at in store.examples.all()
    ]


def _today(example: Example, taxonomy: Taxonomy, at: int) -> Example:
    """Return the example in today's labels; of those that were not there when it was labelled, nothing is known."""
    labels = taxonomy.today(example.labels)
    unknown = tuple(name for name in taxonomy.today((*example.unknown, *taxonomy.absent_at(at))) if name not in labels)
    return example.model_copy(update={"labels": labels, "unknown": unknown})


def _guidelines(taxonomy: Taxonomy) -> list[Example]:
    """Make a message of each label's examples and counterexamples, which say yes or no to that label and nothing of others."""
    return [
        Example(
            id=f"{WRITTEN}{label.name}",
            text=text,
            labels=(label.name,) if applies else (),
            unknown=tuple(name for name in taxonomy.names if name != label.name),
        )
        for label in taxonomy
        for applies, texts in ((True, label.examples), (False, label.counterexamples))
        for text in texts
    ]


def _descriptions(taxonomy: Taxonomy) -> list[Example]:
    """Make a message of each label's description, which carries that label alone: all that a new label has to begin with."""
    return [
        Example(id=f"{WRITTEN}{label.name}", text=f"{label.title}: {label.description}", labels=(label.name,))
        for label in taxonomy
    ]


def judged_examples(store: Store) -> Iterator[Example]:
    """Yield messages as people judged them, oldest first, with those who did."""
    for each in store.judged.messages(store.labels.current()):
        if (example := judged_example(each)) is not None:
            yield example


def judged_example(judged: JudgedMessage) -> Example | None:
    """Return the message as people judged it, or None where nothing is decided or no text is left."""
    row, state = judged.row, judged.state
    if len(state.unknown) == len(state.labels) or not row.text.strip():
        return None
    return Example(
        id=f"{row.channel}:{row.ts}",
        text=row.text,
        labels=tuple(name for name, label in state.labels.items() if label.applies),
        unknown=state.unknown,
        by=state.judges,
    )


def run_training(store: Store, settings: ModelSettings, run_id: int) -> bool:
    """Carry out the run and close it: done, with or without a new version, failed, or cancelled; its row says why.

    Return whether it was closed here: nothing happens where there is none of this number, it is over already, or another
    living process works on it. The candidate goes live where the
    gate says so, the run is no dry one, and BETO_PROMOTION does not ask people.
    """
    runs, owner = store.runs, owner_name()
    run = runs.start(run_id, owner)
    if run is None:
        return False
    registry = store.registry
    try:
        with _heartbeat(runs, run_id, owner):
            report = _train_and_evaluate(store, settings, run, _ProgressReporter(runs, run_id, owner))
        if report is None:
            runs.close(run_id, owner, "done")
        else:
            runs.close(run_id, owner, "done", report=report)
            registry.remove_old(settings.keep_versions)
    except RunLost as error:
        log.warning("%s", error)
        return False  # the folder is another process's by now
    except RunCancelled:
        runs.close(run_id, owner, "cancelled")
    except SystemExit:
        runs.hand_back(run_id, owner)
        raise
    except ModelError as error:
        runs.close(run_id, owner, "failed", error=str(error), failure="base" if isinstance(error, BaseUnavailable) else "other")
    except BaseException as error:
        # A run must never stay "running" when nobody works on it.
        runs.close(run_id, owner, "failed", error=f"{type(error).__name__}: {error}", failure="other")
        raise
    shutil.rmtree(registry.run_directory(run_id), ignore_errors=True)
    return True


def _train_and_evaluate(store: Store, settings: ModelSettings, run: Run, progress: "_ProgressReporter") -> Report | None:
    """Train the run's version, evaluate it, and return the report; None where there is nothing new to learn from."""
    progress(Progress(stage="preparing"))
    if store.registry.made_by(run.id) is None:
        require_base(settings.base)  # before minutes are spent on what comes to nothing
    # Behind the torch door: who only looks at runs should not pay for loading it.
    from model.learning import describing, training

    run_directory = store.registry.run_directory(run.id)
    if not store.labels.current().names:
        raise BadData("there are no labels to learn: add the first in Slack, with `/beto etiquetas`")
    data = _frozen_snapshot(store, run_directory, run.id)
    live = store.registry.live()
    candidate = store.registry.made_by(run.id)
    if candidate is None:
        everything = [example for split in SPLITS for example in data[split]]
        unchanged = live is not None and live.card.data_sha256 == data_sha256(everything)
        if live is not None and unchanged and not live.card.settings.get("quick") and not run.dry:
            return None
        built = run_directory / "version"
        shutil.rmtree(built, ignore_errors=True)
        taxonomy = store.labels.current()
        if describing.is_all_there_is(settings.base, taxonomy, everything):
            card = describing.describe_version(taxonomy, everything, base=settings.base, out=built, home=settings.home_folder)
        else:
            card = training.train(
                data["train"],
                data["dev"],
                test=data["test"],
                taxonomy=taxonomy,
                base=settings.base,
                out=built,
                device=settings.device,
                on_progress=progress,
                checkpoint=run_directory / "checkpoint",
                home=settings.home_folder,
                quick=live is None,  # whoever tries the product for the first time should not wait; the next run does the whole
                within_s=60 * settings.train_within_min or None,
            )
        parent = None if live is None else live.number
        candidate = store.registry.add(built, card.model_copy(update={"parent": parent}), run.id)
    progress.show(_EVALUATING)
    return _evaluate_candidate(store, settings, run, progress, candidate=candidate, live=live, data=data)


def _evaluate_candidate(
    store: Store,
    settings: ModelSettings,
    run: Run,
    progress: "_ProgressReporter",
    *,
    candidate: Version,
    live: Version | None,
    data: dict[Split, list[Example]],
) -> Report:
    """Compare the candidate with the version that serves, promote it where the gate says so, and return the report.

    `live` is the version that was live when the run began: the candidate takes no other one's place.
    """
    from model.serving import classifier

    # The candidate as it will serve, and the version that serves now.
    new = classifier.load(candidate.folder, device=settings.device)
    promoted_before = [version for version in store.registry.promoted() if version.number != candidate.number]
    serving, old = _load_serving(promoted_before, settings.device)

    # The gate's decision.
    taxonomy = store.labels.current()
    comparison = _compare(candidate, new, old, data["test"], taxonomy)
    uses = store.runs.uses(len(data["test"]))
    verdict = decide(
        comparison, label_margin=settings.label_margin, uses=uses, live_is_broken=serving is None and bool(promoted_before)
    )
    store.runs.note_version(run.id, progress.owner, candidate.number, len(data["test"]))
    promoted = False
    if verdict.promote and not run.dry and (settings.promotion == "auto" or not promoted_before):
        progress.show(_EVALUATING)  # raises after a cancellation, and after another process took the run over
        promoted = store.registry.promote(
            candidate.number,
            by=run.requested_by,
            reason=f"{BY_TRAINING}{run.id}: micro-F1 {comparison.micro.value:.3f}",
            instead_of=None if live is None else live.number,
            run=run,
        )

    # What people read about it.
    if promoted:
        thank(store, run, candidate.number, data, taxonomy)
    judged = [example for split in SPLITS for example in data[split] if example.by]
    judges = Counter(user for example in judged for user in example.by)
    return Report(
        version=candidate.number,
        live=None if serving is None else serving.number,
        comparison=comparison,
        verdict=verdict,
        promoted=promoted,
        texts={split: len(data[split]) for split in SPLITS},
        corrections=len(judged),
        absorbed=0 if serving is None else _judged_since(store, serving, judged, taxonomy),
        judges=tuple(user for user, _ in judges.most_common()),
        flips=() if old is None else _flips(store, _as_served(old, taxonomy), _as_served(new, taxonomy), taxonomy),
        blind=_blind(store, serving),
        uses=uses,
        notes=tuple(progress.notes),
        forms=candidate.card.forms,
    )


def _judged_since(store: Store, serving: Version, judged: Sequence[Example], taxonomy: Taxonomy) -> int:
    """Return how many of these messages were judged since that version was trained: what has counted beside it until now."""
    until = store.registry.learnt_until(serving.number).timestamp() * 1e6
    ours = {example.id for example in judged}
    return sum(
        f"{each.row.channel}:{each.row.ts}" in ours and max(said.gesture.at for said in each.said) > until
        for each in store.judged.messages(taxonomy)
        if each.said
    )


def _load_serving(promoted: Sequence[Version], device: str) -> tuple[Version | None, "Classifier | None"]:
    """Load the version that the workers serve: the first of these, in the order to fall back in, that is sound."""
    from model.serving import classifier

    for version in promoted:
        try:
            return version, classifier.load(version.folder, device=device)
        except BrokenVersion as error:
            log.warning("version %s cannot be compared with, as no worker can serve it: %s", version.number, error)
    return None, None


def _compare(
    candidate: Version, new: "Classifier", old: "Classifier | None", test: Sequence[Example], taxonomy: Taxonomy
) -> Comparison:
    """Compare on the test texts and on the labels that both versions know and that there are today.

    Without preferences, but for the labels of which people have one.
    """
    former = () if old is None else taxonomy.today(old.labels)
    labels = [name for name in new.labels if name in taxonomy and (old is None or name in former)]
    texts = [example.text for example in test]
    baseline = load_baseline(candidate.folder)
    scores = baseline.scores(texts)[:, [baseline.labels.index(label) for label in labels]]
    return compare(
        *truth_of(test, labels),
        labels,
        _answers(new, texts, labels, taxonomy),
        None if old is None else _answers(old, texts, labels, taxonomy),
        Answers((scores >= baseline.threshold).astype(float), scores),
        taxonomy.preferences(labels),
    )


def _answers(classifier: "Classifier", texts: Sequence[str], labels: Sequence[str], taxonomy: Taxonomy) -> Answers:
    predicted = classifier.predict(texts)
    predictions = [taxonomy.read(prediction) for prediction in predicted]
    scores: Matrix = np.array([[prediction.scores[label] for label in labels] for prediction in predictions], dtype=float)

    def given(thresholds: Mapping[str, float]) -> Matrix:
        cut = (tuple(name for name, score in each.scores.items() if score >= thresholds[name]) for each in predicted)
        today = [taxonomy.today(names) for names in cut]
        return np.array([[label in names for label in labels] for names in today], dtype=float)

    preferred = given(_as_served(classifier, taxonomy).thresholds) if classifier.card.cuts else None
    return Answers(given(classifier.preferring({}).thresholds), scores, preferred)


def _as_served(classifier: "Classifier", taxonomy: Taxonomy) -> "Classifier":
    """Return the version with the thresholds of what people prefer now."""
    return classifier.preferring(taxonomy.preferences(classifier.labels))


def _flips(store: Store, old: "Classifier", new: "Classifier", taxonomy: Taxonomy) -> tuple[Flip, ...]:
    """Return the newest messages whose labels would change."""
    recent = store.messages.recent_texts(LOOKED_AT)
    texts = [text for _, text in recent]
    pairs = zip(recent, map(taxonomy.read, old.predict(texts)), map(taxonomy.read, new.predict(texts)), strict=True)
    changed = [
        Flip(message_id=message_id, before=before.labels, after=after.labels)
        for (message_id, _), before, after in pairs
        if set(before.labels) != set(after.labels)
    ]
    return tuple(changed[:FLIPS_SHOWN])


def _blind(store: Store, serving: Version | None) -> Blind | None:
    """Score the version that serves on the messages that people judged before they saw its labels."""
    if serving is None:
        return None
    gold, given, taxonomy = [], [], store.labels.current()
    for state, prediction in store.judged.said_blind(taxonomy):
        if prediction.version == serving.number:
            known = set(state.labels) - set(state.unknown)
            gold.append({name for name, label in state.labels.items() if label.applies})
            given.append(known.intersection(prediction.labels))
    return Blind(messages=len(gold), micro_f1=score(gold, given, taxonomy.names).micro_f1) if gold else None


def _frozen_snapshot(store: Store, run_directory: Path, run_id: int) -> dict[Split, list[Example]]:
    """Return what this run learns from, the same however often its process is killed, but for what was erased since.

    It is recorded too, so that people whose texts are erased later can be told which versions learnt from them.
    """
    files = {split: run_directory / f"{split}.jsonl" for split in SPLITS}
    complete, erasure = run_directory / "snapshot.complete", store.erasure
    if not complete.exists():
        for split, examples in snapshot(store).items():
            write_examples(files[split], examples)
        complete.touch()
    data: dict[Split, list[Example]] = {}
    for split, file in files.items():
        frozen = read_examples(file)
        data[split] = erasure.without_erased(frozen)
        if len(data[split]) < len(frozen):
            write_examples(file, data[split])
    erasure.record_training_texts(run_id, [*data["train"], *data["dev"]])
    return data


class _ProgressReporter:
    """The listener to a training's steps: it shows progress now and then, and ends what was cancelled or lost."""

    def __init__(self, runs: Runs, run_id: int, owner: str) -> None:
        self.owner = owner
        self.notes: list[str] = []
        self._runs = runs
        self._run_id = run_id
        self._shown_at = 0.0

    def __call__(self, progress: Progress) -> None:
        """Show the progress, unless some was shown a moment ago."""
        if progress.note and progress.note not in self.notes:
            self.notes.append(progress.note)
        if time.monotonic() - self._shown_at >= SHOW_EVERY_S:
            self.show(progress)

    def show(self, progress: Progress) -> None:
        """Show the progress at once; raise RunCancelled or RunLost where the run must end.

        A database that is away for a while does not end a training.
        """
        self._shown_at = time.monotonic()
        try:
            self._runs.beat(self._run_id, self.owner, progress)
        except StoreUnavailable as error:
            log.warning("progress is not shown: %s", error)


@contextmanager
def _heartbeat(runs: Runs, run_id: int, owner: str) -> Iterator[None]:
    """Beat for the run in a thread meanwhile, so that nobody takes it over where one step takes minutes."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_EVERY_S):
            try:
                runs.beat(run_id, owner)
            except (RunLost, RunCancelled):
                return  # the training itself hears of it at its next step
            except StoreUnavailable as error:
                log.warning("no heartbeat: %s", error)
            except Exception:  # the thread must live to beat again
                log.exception("no heartbeat")

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
