"""How it stands with the first version, as `beto up` and `beto doctor` tell it to the operator."""

import importlib.util

from bot.settings import BotSettings
from model.errors import BaseUnavailable
from model.first_training import FirstTraining
from model.store.store import Store


def describe(first: FirstTraining, settings: BotSettings) -> str:
    """Return a sentence: what goes on, or what failed, why, and what comes next."""
    run = first.run
    if run is None:
        return f"no version yet: the trainer makes the first from {settings.base}"
    if run.status == "cancelled":
        return f"no version yet: {run.cancelled_by} cancelled its training. Start the trainer again, or say /beto reentrena"
    if not run.over:
        progress, done = run.progress, ""
        if progress is not None and progress.share:
            done = f", {int(100 * progress.share)} % done"
        doing = "waits to train" if run.status == "queued" else "trains"
        return f"no version yet: run {run.id} {doing} the first from {settings.base}{done}"
    if run.status != "failed":
        return f"no version yet: run {run.id} made none"
    why = " ".join((run.error or "?").split())
    return f"the first training failed (run {run.id}, {run.beat_at:%Y-%m-%d %H:%M} UTC): {why} {_next(first)}"


def _next(first: FirstTraining) -> str:
    if first.run is not None and first.run.failure == "base":
        return "Choose one and start again; otherwise the trainer goes on asking, and trains as soon as the base can be had."
    if first.retry_at is not None:
        return f"The trainer tries again at {first.retry_at:%H:%M} UTC; its log is trainer.log."
    return "The trainer does not try again by itself: see trainer.log, and start it again once the reason is gone."


def why_no_base(settings: BotSettings) -> str | None:
    """Return why a training could not have its base, asking the hub where need be; None where it can, or nobody here trains."""
    if importlib.util.find_spec("huggingface_hub") is None:
        return None
    from model.learning.hub import require_base

    try:
        require_base(settings.base)
    except BaseUnavailable as error:
        return " ".join(str(error).split())
    return None


class Teller:
    """Tells what changes with the first version, until there is one."""

    def __init__(self, settings: BotSettings) -> None:
        self._settings = settings
        self._store = Store(settings.store_url, settings.home_folder)
        self._told: tuple[int, str, int] | None = None
        self._waited = False
        self._done = False

    def news(self) -> str:
        """Return what is to be told now; nothing where it was told, or where a version was live from the beginning.

        Of a training that goes on each quarter is told.
        """
        if self._done:
            return ""
        first = self._store.first_training()
        if first is None:
            self._done = True
            live = self._store.registry.live()
            return f"Version {live.number} ({live.card.base}) is trained." if self._waited and live is not None else ""
        self._waited = True
        run = first.run
        quarter = 0 if run is None or run.progress is None or run.over else int(4 * run.progress.share)
        state = (0, "", 0) if run is None else (run.id, run.status, quarter)
        if run is None or state == self._told:
            return ""
        self._told = state
        said = describe(first, self._settings)
        return f"{said[0].upper()}{said[1:]}" + (", which takes minutes." if run.status == "running" and not quarter else "")

    def close(self) -> None:
        """Give back the database."""
        self._store.close()
