"""How often a reply asks the database: in a busy workspace that is most of what it costs."""

from typing import Any

import pytest
from sqlalchemy import event

from bot.outbox.context import OutboxContext
from bot.simulator.workspace import Workspace
from model.routes import Route
from model.store import label_book, routes
from tests.outbox.replying import CHANNEL, ON_SQLITE, a_predicted_message, bots_posts, reply, reply_now, said_by_ana


@ON_SQLITE
def test_a_reply_takes_four_transactions_and_no_query_is_built_anew(
    context: OutboxContext, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is claimed, judged and recorded, and its author may be asked about it; it was seventeen statements in seven of them."""
    for book in (label_book, routes):
        monkeypatch.setattr(book, "KNOWN_FOR_S", 600.0)
    # Routes of other channels, and those that are off, ask nothing.
    elsewhere = Route(labels=("tarjeta",), channels=("C0SIMUGENERAL",), card_in=CHANNEL)
    context.store.routes.change(context.store.routes.add(elsewhere, by="U0SIMUANA", told_in=CHANNEL), by="U1", status="on")
    stamps = [said_by_ana(workspace) for _ in range(2)]
    first, second = (a_predicted_message(context.store, ts) for ts in stamps)
    reply_now(context, first)  # what is compiled once is compiled by then
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, _parameters: Any, execution: Any, _many: bool) -> None:
        asked.append((statement, execution))

    event.listen(context.store.database.engine, "before_cursor_execute", note)
    reply(context, second)
    event.remove(context.store.database.engine, "before_cursor_execute", note)
    assert bots_posts(context, stamps[1])
    compiled = [execution for _, execution in asked if execution.compiled is not None]
    assert len(asked) - len(compiled) == 4, [statement for statement, _ in asked]  # that begin a transaction
    assert len(compiled) <= 12, [statement for statement, _ in asked]
    assert {execution.cache_hit.name for execution in compiled} == {"CACHE_HIT"}
