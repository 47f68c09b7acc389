"""One training run, from the labelled messages to a version in the registry."""

import shutil

from model.registry import Registry
from model.schema import Progress
from model.settings import ModelSettings
from model.store import Store


def run_training(store: Store, settings: ModelSettings, run_id: int) -> None:
    """The run is closed: done, with a new version, or failed, with the reason. A repeated call does nothing.

    The first version ever goes live; later ones are listed and wait for a judgement.
    """
    if not store.start_run(run_id):
        return
    try:
        # Behind the torch door; whoever only looks at runs should not pay for it.
        from model import training
        from model.dataset import seed_examples
        from model.labels import seed_taxonomy

        registry = Registry(store, settings.home_folder)
        data = seed_examples()
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
