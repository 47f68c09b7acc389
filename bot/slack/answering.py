"""Which version answers, as the database knows it: what was chosen, what the workers have loaded, and its corrections."""

from bot.views import serving
from bot.views.texts import Texts
from model.store.registry import Version
from model.store.store import Store


def who_answers(store: Store, live: Version, texts: Texts) -> list[str]:
    """Return what the workers have loaded, with what it has learnt since, beside the version that was chosen."""
    workers = store.workers.serving()
    if not workers:
        return serving.nobody(live.number, texts)
    served = {}
    for number in {each.version for each in workers if each.version}:
        version = live if number == live.number else store.registry.get(number)
        base = "…" if version is None else version.card.base  # its folder is gone, and it is still in memory
        since, refit = min(each.since for each in workers if each.version == number), store.refits.newest(number)
        served[number] = serving.Served(base, since, 0 if refit is None else refit.corrections)
    is_refused = all(live.number in each.refused for each in workers)
    return serving.lines(live.number, served, texts, is_refused=is_refused)
