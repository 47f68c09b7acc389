"""One of our processes as the chaos harness starts it: `python -m tests.chaos.process NAME`.

Its waits are shortened by BETO_CHAOS_PACE, so that minutes of waiting fit into seconds. BETO_CHAOS_WITHOUT takes one safeguard
away, to see whether the harness would notice: neither variable means anything to the product.
"""

import os
import pkgutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import bot.outbox.sweep
import bot.outbox.work
import model.learning.retraining
import model.store.gestures
import model.store.runs
from bot.cli import main
from model.store.outbox import Outbox
from model.store.tables import outbox

SAFEGUARDS = ("claim", "sweep", "natural key", "look-up")
# What is waited for, by the package that waits; whoever imported one of these by name is changed too.
WAITS = {
    "bot.outbox": ("LEASE_S", "SWEEP_EVERY_S", "RETRY_AFTER_S", "AGAIN_S", "REFUSED_AGAIN_S", "LINE_LOST_S", "STATUS_EVERY_S"),
    "bot.webhooks": ("WITHIN_S",),
    "model.store": ("RETRY_AFTER_S", "RETRY_AT_MOST_S", "AGAIN_FIRST_S", "AGAIN_AT_MOST_S"),
    "worker.trainer": ("LOOK_EVERY_S",),
    "worker.refitting": ("LEASE_S",),
    "worker.consumer": ("UNTAKEN_S",),
    "worker.watchdog": ("LOOK_EVERY_S", "GRACE_S"),
    "bot.slack": ("LOOK_EVERY_S", "PING_EVERY_S", "SILENT_S", "DISCONNECTED_S", "ASK_EVERY_S"),
}
EPOCHS = 1  # a training is to be killed, not to be good
MOST_ATTEMPTS = 1000  # nor is it to be given up as one that always dies


def shorten_waits(pace: float) -> None:
    """Multiply the waits of this process by `pace`, and let a training have few epochs."""
    for package, names in WAITS.items():
        modules = list(_modules_of(package))
        for name in names:
            waiting = [module for module in modules if hasattr(module, name)]
            if not waiting:
                raise AttributeError(f"{package} has no {name} any more")
            for module in waiting:
                setattr(module, name, getattr(module, name) * pace)
    model.store.runs.MOST_ATTEMPTS = MOST_ATTEMPTS
    train_and_evaluate = model.learning.retraining._train_and_evaluate

    def shortened(*args: Any, **named: Any) -> Any:
        from model.learning import recipe as base  # torch, in the trainer's children only

        base.MINI_RECIPE = replace(base.MINI_RECIPE, epochs=EPOCHS)
        return train_and_evaluate(*args, **named)

    model.learning.retraining._train_and_evaluate = shortened


def _modules_of(package: str) -> Iterator[ModuleType]:
    """Yield the module of this name and, where it is a package, the modules in it."""
    top = import_module(package)
    yield top
    for each in pkgutil.iter_modules(getattr(top, "__path__", ())):
        yield import_module(f"{package}.{each.name}")


def disable_safeguard(safeguard: str) -> None:
    """Take this safeguard away from the process; an empty name takes none."""
    if safeguard == "claim":
        claim = Outbox.claim

        def everybody_may(self: Outbox, key: str, owner: str, lease_s: float) -> Any:
            with self._database.writing() as connection:
                free = {"claimed_by": None, "claimed_until": None}
                connection.execute(outbox.update().where(outbox.c.key == key).values(**free))
            return claim(self, key, owner, lease_s)

        setattr(Outbox, "claim", everybody_may)  # noqa: B010 - mypy refuses the plain assignment
    elif safeguard == "sweep":
        setattr(bot.outbox.sweep, "sweep", lambda _: 0)  # noqa: B010 - likewise
    elif safeguard == "natural key":
        key = model.store.gestures._key
        setattr(model.store.gestures, "_key", lambda *args: key(*args)[:32] + uuid.uuid4().hex)  # noqa: B010 - likewise
    elif safeguard == "look-up":
        setattr(bot.outbox.work, "find_messages", lambda *_, **__: [])  # noqa: B010 - likewise
    elif safeguard:
        raise ValueError(f"no such safeguard: {safeguard}")


if __name__ == "__main__":
    shorten_waits(float(os.environ.get("BETO_CHAOS_PACE", "1")))
    disable_safeguard(os.environ.get("BETO_CHAOS_WITHOUT", ""))
    main()
