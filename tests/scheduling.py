"""Which tests stay together where several processes run tests beside each other (`make test`, pytest-xdist), and which go first.

A worker process has its own PostgreSQL cluster, Redis and simulated Slack; what a module starts, it starts once, so a module
stays in one process. The two towns that whole journeys share stay in one process each, whatever modules ask for them.
"""

from typing import Any

import pytest

TOWNS = ("socket-sqlite", "http-postgresql")
# Begun last, one of these would be the one that all wait for.
LONGEST = (
    "tests/journeys/test_retraining_journey.py",
    "http-postgresql",
    "tests/learning/test_retraining_kills.py",
    "tests/journeys/test_gesture_flood.py",
    "socket-sqlite",
    "tests/journeys/test_no_hub.py",
    "tests/learning/test_training.py",
    "tests/local/test_demo.py",
    "tests/bench/test_smallest_forms.py",
    "tests/slack/test_nothing_is_silent.py",
    "tests/outbox/test_fault_matrix.py",
    "tests/learning/test_retraining.py",
    "tests/learning/test_refit.py",
    "tests/worker/test_consumer.py",
    "tests/slack/test_security.py",
    "tests/slack/test_asking_authors.py",
    "tests/slack/test_hearing.py",
    "tests/chaos/test_chaos.py",
    "tests/journeys/test_browser.py",
    "tests/test_compose.py",
    "tests/local/test_up.py",
    "tests/test_cli.py",
    "tests/local/test_doctor.py",
    "tests/slack/test_leaks.py",
)


def unit_of(nodeid: str) -> str:
    """Return the name of the tests that stay in one process with this one."""
    return next((town for town in TOWNS if town in nodeid), nodeid.partition("::")[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest units first; the order within a unit stays."""
    rank = {unit: at for at, unit in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(unit_of(item.nodeid), len(rank)))


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole units, in the order in which they were collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    config.option.loadscopereorder = False
    return Units(config, log)
