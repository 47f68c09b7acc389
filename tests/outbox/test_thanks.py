"""Thanks come to the person alone, once, in their language."""

from dataclasses import replace

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.simulator.workspace import Workspace
from model.store.outbox_row import State, thanks_key
from tests.outbox.replying import ON_SQLITE

LUIS = "U0SIMULUIS"
CONTENT = {"version": 2, "judged": 12, "label": "fraude", "before": 0.62, "after": 0.741, "texts": 19}


@ON_SQLITE
def test_a_person_is_thanked_alone_and_once(context: OutboxContext, workspace: Workspace) -> None:
    workspace.users[LUIS] = replace(workspace.users[LUIS], locale="en-US")
    opened = [context.store.outbox.open_thanks(1, LUIS, CONTENT) for _ in range(2)]
    for _ in range(2):
        deliver(context, thanks_key(1, LUIS))
    assert opened == [True, False]
    direct = workspace.direct_channel(workspace.user("luis"), workspace.user("beto"))
    [post] = direct.messages.values()
    assert str(post["text"]).startswith("Thank you: what you said of 12 messages raised “Fraud” from 62 to 74")
    row = context.store.outbox.get(thanks_key(1, LUIS))
    assert row is not None
    assert row.state is State.SHOWN
    assert all(str(post["text"]) not in str(channel.messages) for channel in workspace.channels.values() if channel is not direct)
