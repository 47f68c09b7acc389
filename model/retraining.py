"""One training run, from the labelled messages to a version in the registry."""

import shutil
from collections.abc import Iterator

from model.dataset import divide, seed_messages
from model.gestures import Gestures
from model.labels import seed_taxonomy
from model.registry import Registry
from model.schema import Example, Progress, Split
from model.settings import ModelSettings
from model.store import Store


def snapshot(store: Store) -> dict[Split, list[Example]]:
    """Everything that can be learnt from now: shipped, imported, and judged in chat, each on the side that never changes.

    What nobody decided about a judged message is unknown; a message with nothing decided is left out.
    """
    return divide([*seed_messages(), *store.examples(), *judged_examples(store)])


def judged_examples(store: Store) -> Iterator[Example]:
    """Messages as people judged them, oldest first, with those who did."""
    for row, state, _ in Gestures(store).judged_messages(seed_taxonomy().names):
        if len(state.unknown) < len(state.labels) and row.text.strip():
            yield Example(
                id=f"{row.team}:{row.channel}:{row.ts}",
                text=row.text,
                labels=tuple(name for name, label in state.labels.items() if label.applies),
                unknown=state.unknown,
                by=state.judges,
            )


def run_training(store: Store, settings: ModelSettings, run_id: int) -> None:
    """The run is closed: done, with a new version, or failed, with the reason. A repeated call does nothing.

    The first version ever goes live; later ones are listed and wait for a judgement.
    """
    if not store.start_run(run_id):
        return
    registry = Registry(store, settings.home_folder)
    try:
        # Behind the torch door; whoever only looks at runs should not pay for it.
        from model import training

        data = snapshot(store)
        workshop = registry.workshop(run_id)
        card = training.train(
            data["train"],
            data["dev"],
            test=data["test"],
            taxonomy=seed_taxonomy(),
            base=settings.base,
            out=workshop,
            device=settings.device,
            on_progress=lambda progress: store.beat_run(run_id, progress),
        )
        version = registry.add(workshop, card)
        if registry.live() is None:
            registry.promote(version.number, by="beto", reason="the first version")
        store.beat_run(run_id, Progress(stage="done"))
        store.close_run(run_id, version=version.number)
    except BaseException as error:
        # Also when the process is told to stop: a run must never stay "running" when nobody works on it.
        store.close_run(run_id, error=f"{type(error).__name__}: {error}")
        shutil.rmtree(registry.versions_folder / f"run-{run_id}", ignore_errors=True)
        raise
