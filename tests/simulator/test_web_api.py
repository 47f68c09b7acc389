"""The simulator's Web API, spoken to by the real Slack client."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL

from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.server import MANIFEST, Simulator, read_manifest

GENERAL, FRAUDES, ANA, BETO = "C0SIMUGENERAL", "C0SIMUFRAUDES", "U0SIMUANA", "U0SIMUBETO"
EVENT = {"event_type": "classified", "event_payload": {"message": "1.2"}}


@pytest.fixture
def client(simulator: Simulator) -> AsyncWebClient:
    return AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")


def granting(*scopes: str) -> dict[str, Any]:
    manifest = read_manifest(MANIFEST)
    manifest["oauth_config"]["scopes"]["bot"] += scopes
    return manifest


async def refusal(call: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as refused:
        await call
    return refused.value.response.data


async def test_auth_test_says_who_the_bot_is(client):
    """Bolt calls it at start-up and builds on every field."""
    answer = await client.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == (BETO, "B0SIMUBETO", "T0SIMULADOR")
    assert answer.headers["x-oauth-scopes"].startswith("app_mentions:read,")


async def test_the_sync_client_with_its_empty_json_body_is_understood(simulator):
    """slack_sdk sends Content-Type: application/json and nothing else for calls without arguments."""
    client = WebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
    answer = await asyncio.to_thread(client.auth_test)
    assert answer["ok"]


@pytest.mark.parametrize(
    ("method", "token", "error"),
    [
        ("auth.test", "", "not_authed"),
        ("auth.test", "xoxb-wrong", "invalid_auth"),
        ("auth.test", "xapp-simulator", "not_allowed_token_type"),
        ("apps.connections.open", "xoxb-simulator", "not_allowed_token_type"),
        ("chat.postMessage", "", "not_authed"),
        ("chat.shout", "xoxb-simulator", "unknown_method"),
    ],
)
async def test_the_token_decides_who_may_call(simulator, method, token, error):
    """A bot with a wrong or a swapped token must fail here as it would at Slack's."""
    assert await refusal(AsyncWebClient(token=token, base_url=f"{simulator.url}/api/").api_call(method)) == {
        "ok": False, "error": error, **({"req_method": "chat.shout"} if error == "unknown_method" else {}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "needed"),
    [("team.info", "team:read"), ("files.info", "files:read"), ("conversations.join", "channels:join")],
)
async def test_a_scope_that_the_manifest_lacks_is_named(client, method, needed):
    """The manifest is part of what is tested: what works here must work with these scopes."""
    answer = await refusal(client.api_call(method, params={"channel": GENERAL, "file": "F1"}))
    assert (answer["error"], answer["needed"]) == ("missing_scope", needed)
    assert "chat:write" in answer["provided"].split(",")


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "C404", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": FRAUDES, "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "C0SIMURECLAMOS", "text": "x"}, "not_in_channel"),
        ("chat.postMessage", {"channel": GENERAL}, "no_text"),
        ("chat.postMessage", {"channel": GENERAL, "text": "  "}, "no_text"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": GENERAL, "blocks": [{"type": "blink"}]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": GENERAL, "blocks": "{"}, "invalid_blocks_format"),
        ("chat.postMessage", {"channel": GENERAL, "text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ("chat.postMessage", {"channel": GENERAL, "text": "x", "markdown_text": "y"}, "markdown_text_conflict"),
        ("chat.postEphemeral", {"channel": GENERAL, "user": "U404", "text": "x"}, "user_not_in_channel"),
        ("chat.update", {"channel": GENERAL, "ts": "1.2", "text": "x"}, "message_not_found"),
        ("chat.delete", {"channel": GENERAL, "ts": "1.2"}, "message_not_found"),
        ("chat.getPermalink", {"channel": GENERAL, "message_ts": "1.2"}, "message_not_found"),
        ("reactions.add", {"channel": GENERAL, "timestamp": "1.2", "name": "x"}, "message_not_found"),
        ("reactions.add", {"channel": GENERAL, "timestamp": "soon", "name": "x"}, "bad_timestamp"),
        ("reactions.add", {"channel": GENERAL, "name": "x"}, "no_item_specified"),
        ("conversations.history", {"channel": "C404"}, "channel_not_found"),
        ("conversations.history", {"channel": "C0SIMURECLAMOS"}, "not_in_channel"),
        ("conversations.history", {"channel": GENERAL, "oldest": "soon"}, "invalid_ts_oldest"),
        ("conversations.history", {"channel": GENERAL, "cursor": "x"}, "invalid_cursor"),
        ("conversations.replies", {"channel": GENERAL, "ts": "1.2"}, "thread_not_found"),
        ("conversations.list", {"types": "secret"}, "invalid_types"),
        ("conversations.list", {"types": "im"}, "missing_scope"),
        ("conversations.open", {}, "users_list_not_supplied"),
        ("conversations.open", {"users": "U404"}, "user_not_found"),
        ("users.info", {"user": "U404"}, "user_not_found"),
        ("bots.info", {"bot": "B404"}, "bot_not_found"),
        ("views.open", {"trigger_id": "1.2.x", "view": {"type": "home", "blocks": []}}, "invalid_arguments"),
        ("views.update", {"view_id": "V404", "view": {"type": "home", "blocks": []}}, "not_found"),
        ("files.completeUploadExternal", {"files": [{"id": "F404"}]}, "file_not_found"),
        ("files.getUploadURLExternal", {"filename": "a.png", "length": 0}, "missing_argument"),
    ],
)
async def test_each_mistake_has_the_references_error_code(client, method, arguments, error):
    """The bot's error handling is written against these codes."""
    sent = {name: value if isinstance(value, str | int) else json.dumps(value) for name, value in arguments.items()}
    assert (await refusal(client.api_call(method, params=sent)))["error"] == error


async def test_every_form_of_a_call_means_the_same(simulator):
    """Clients send JSON, forms with JSON inside, or a query; the token in the header or in the form."""
    blocks = [{"type": "section", "block_id": "b", "text": {"type": "mrkdwn", "text": "hola"}}]
    call = {"channel": GENERAL, "text": "hola", "team_id": "T0SIMULADOR", "unknown": "ignored"}
    bearer = {"Authorization": f"Bearer {simulator.bot_token}"}
    url = f"{simulator.url}/api/chat.postMessage"
    answers = []
    async with aiohttp.ClientSession() as session:
        for request in (
            {"json": call | {"blocks": blocks}, "headers": bearer},
            {"json": call | {"blocks": json.dumps(blocks)}, "headers": bearer},
            {"data": call | {"blocks": json.dumps(blocks)}, "headers": bearer},
            {"data": call | {"blocks": json.dumps(blocks), "token": simulator.bot_token}},
            {"params": call | {"blocks": json.dumps(blocks)}, "headers": bearer},
        ):
            async with session.post(url, **request) as response:
                answers.append(await response.json())
    messages = [{name: answer["message"][name] for name in ("text", "blocks", "user")} for answer in answers]
    assert messages == [messages[0]] * 5


@pytest.mark.parametrize(("body", "error"), [("{", "invalid_json"), ("[]", "json_not_object")])
async def test_a_body_that_is_no_json_object_is_refused(simulator, body, error):
    """As at Slack's, and never with a 500."""
    headers = {"Authorization": f"Bearer {simulator.bot_token}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.url}/api/chat.postMessage", data=body, headers=headers) as response,
    ):
        assert (await response.json())["error"] == error


async def test_methods_that_take_no_json_do_not_read_it(simulator):
    """conversations.replies with a JSON body has no arguments at Slack's; a raw client must notice here."""
    headers = {"Authorization": f"Bearer {simulator.bot_token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.url}/api/users.info", json={"user": ANA}, headers=headers) as response,
    ):
        assert (await response.json())["error"] == "user_not_found"


async def test_a_post_carries_what_slack_adds(client):
    """The bot recognises its own posts by these fields."""
    answer = await client.chat_postMessage(channel=GENERAL, text="a < b & <@U0SIMUANA>")
    message = answer["message"]
    assert message["text"] == "a &lt; b &amp; <@U0SIMUANA>"
    assert (message["bot_id"], message["app_id"], message["bot_profile"]["name"]) == ("B0SIMUBETO", "A0SIMUBETO", "BETO")


async def test_a_long_post_is_cut_with_a_warning(client):
    """chat.postMessage cuts at 40,000 characters; only chat.update refuses."""
    answer = await client.chat_postMessage(channel=GENERAL, text="a" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    assert answer["warning"] == "message_truncated"
    assert (await refusal(client.chat_update(channel=GENERAL, ts=answer["ts"], text="a" * 4_001)))["error"] == "msg_too_long"


async def test_timestamps_are_unique_and_rising(client):
    """A ts identifies a message within its channel."""
    answers = await asyncio.gather(*(client.chat_postMessage(channel=GENERAL, text=str(n)) for n in range(30)))
    history = await client.conversations_history(channel=GENERAL)
    stamps = [one["ts"] for one in history["messages"]]
    assert stamps == sorted(stamps, reverse=True)
    assert len({one["ts"] for one in answers}) == 30


async def test_only_own_messages_can_be_changed_or_deleted(simulator, client):
    """The bot must not be able to do here what Slack forbids."""
    async with Person(simulator.url, "ana") as ana:
        ts = await ana.message("general", "mío")
    assert (await refusal(client.chat_update(channel=GENERAL, ts=ts, text="x")))["error"] == "cant_update_message"
    assert (await refusal(client.chat_delete(channel=GENERAL, ts=ts)))["error"] == "cant_delete_message"


async def test_an_update_keeps_what_it_does_not_mention(client):
    """Text alone leaves the old blocks on the screen (python-slack-sdk#523): a bot must send blocks, or [], with it."""
    blocks = [{"type": "divider"}]
    ts = (await client.chat_postMessage(channel=GENERAL, text="antes", blocks=blocks, metadata=EVENT))["ts"]
    kept = await client.chat_update(channel=GENERAL, ts=ts, text="después")
    assert (kept["message"]["text"], kept["message"]["blocks"][0]["type"]) == ("después", "divider")
    await client.chat_update(channel=GENERAL, ts=ts, text="después", blocks=[])
    history = await client.conversations_history(channel=GENERAL, include_all_metadata=True, limit=1)
    (message,) = history["messages"]
    assert (message["text"], message["metadata"]) == ("después", EVENT)
    assert "blocks" not in message
    assert message["edited"]["user"] == BETO


async def test_metadata_is_only_shown_when_asked_for(client):
    """Reading it needs include_all_metadata."""
    ts = (await client.chat_postMessage(channel=GENERAL, text="x", metadata=EVENT))["ts"]
    assert "metadata" not in (await client.conversations_replies(channel=GENERAL, ts=ts))["messages"][0]
    asked = await client.conversations_replies(channel=GENERAL, ts=ts, include_all_metadata=True)
    assert asked["messages"][0]["metadata"] == EVENT
    await client.chat_update(channel=GENERAL, ts=ts, text="x", metadata={})
    asked = await client.conversations_replies(channel=GENERAL, ts=ts, include_all_metadata=True)
    assert "metadata" not in asked["messages"][0]


async def test_a_thread_counts_its_replies(client):
    """Apps and the page read reply_count from the parent."""
    parent = (await client.chat_postMessage(channel=GENERAL, text="hilo"))["ts"]
    first = (await client.chat_postMessage(channel=GENERAL, text="1", thread_ts=parent))["ts"]
    second = (await client.chat_postMessage(channel=GENERAL, text="2", thread_ts=first))["ts"]
    messages = (await client.conversations_replies(channel=GENERAL, ts=parent))["messages"]
    assert [one["ts"] for one in messages] == [parent, first, second]
    assert (messages[0]["reply_count"], messages[0]["latest_reply"]) == (2, second)
    assert messages[2]["thread_ts"] == parent
    assert [one["ts"] for one in (await client.conversations_history(channel=GENERAL, limit=1))["messages"]] == [parent]
    await client.chat_delete(channel=GENERAL, ts=first)
    await client.chat_delete(channel=GENERAL, ts=second)
    assert "reply_count" not in (await client.conversations_replies(channel=GENERAL, ts=parent))["messages"][0]


async def test_a_deleted_parent_leaves_a_tombstone(client):
    """Its replies stay, as at Slack's."""
    parent = (await client.chat_postMessage(channel=GENERAL, text="hilo"))["ts"]
    await client.chat_postMessage(channel=GENERAL, text="1", thread_ts=parent)
    await client.chat_delete(channel=GENERAL, ts=parent)
    messages = (await client.conversations_replies(channel=GENERAL, ts=parent))["messages"]
    assert (messages[0]["subtype"], messages[0]["reply_count"], messages[1]["text"]) == ("tombstone", 1, "1")


async def test_a_tombstone_goes_with_its_last_reply(client):
    """Slack keeps the place of a deleted parent only as long as something hangs on it."""
    parent = (await client.chat_postMessage(channel=GENERAL, text="hilo"))["ts"]
    reply = (await client.chat_postMessage(channel=GENERAL, text="1", thread_ts=parent))["ts"]
    await client.chat_delete(channel=GENERAL, ts=parent)
    await client.chat_delete(channel=GENERAL, ts=reply)
    assert (await refusal(client.conversations_replies(channel=GENERAL, ts=parent)))["error"] == "thread_not_found"
    stamps = [one["ts"] for one in (await client.conversations_history(channel=GENERAL))["messages"]]
    assert parent not in stamps


async def test_an_archived_channel_can_only_be_read(simulator, client):
    """An app whose channel was archived over the weekend must not fail on everything at once."""
    ts = (await client.chat_postMessage(channel=GENERAL, text="antes"))["ts"]
    async with Person(simulator.url, "ana") as ana:
        await ana.archive("general")
        with pytest.raises(SlackError, match="is_archived"):
            await ana.message("general", "tarde")
        assert (await client.conversations_info(channel=GENERAL))["channel"]["is_archived"]
        assert GENERAL not in [one["id"] for one in (await client.conversations_list(exclude_archived=True))["channels"]]
        assert (await client.conversations_history(channel=GENERAL))["messages"][1]["ts"] == ts
        await ana.unarchive("general")
    assert (await client.chat_postMessage(channel=GENERAL, text="después"))["ok"]


async def test_a_reply_to_a_message_that_is_gone_stands_in_the_channel(client):
    """Slack does not refuse it: a bot that does not look sees its answer in the channel, without thread_ts."""
    answer = await client.chat_postMessage(channel=GENERAL, text="tarde", thread_ts="1600000000.000001")
    assert "thread_ts" not in answer["message"]


async def test_pages_hold_every_message_once(client):
    """Cursors must lose and repeat nothing."""
    parent = (await client.chat_postMessage(channel=GENERAL, text="hilo"))["ts"]
    for n in range(7):
        await client.chat_postMessage(channel=GENERAL, text=str(n), thread_ts=parent)
        await client.chat_postMessage(channel=GENERAL, text=f"canal {n}")
    texts = [
        one["text"] async for page in await client.conversations_history(channel=GENERAL, limit=3) for one in page["messages"]
    ]
    assert texts == [*(f"canal {n}" for n in range(6, -1, -1)), "hilo", f"<@{BETO}> has joined the channel"]
    pages = await client.conversations_replies(channel=GENERAL, ts=parent, limit=3)
    texts = [one["text"] async for page in pages for one in page["messages"][1:]]
    assert texts == [str(n) for n in range(7)]


async def test_oldest_and_latest_bound_the_history(client):
    """`inclusive` decides about the ends."""
    stamps = [(await client.chat_postMessage(channel=GENERAL, text=str(n)))["ts"] for n in range(4)]
    bounds = {"oldest": stamps[0], "latest": stamps[3]}
    inner = await client.conversations_history(channel=GENERAL, **bounds)
    assert [one["ts"] for one in inner["messages"]] == [stamps[2], stamps[1]]
    outer = await client.conversations_history(channel=GENERAL, inclusive=True, **bounds)
    assert [one["ts"] for one in outer["messages"]] == stamps[::-1]


async def test_direct_messages_open_by_the_persons_id(client):
    """The bot writes to people whose direct channel it has never seen."""
    posted = await client.chat_postMessage(channel=ANA, text="hola")
    opened = await client.conversations_open(users=ANA)
    assert opened["channel"]["id"] == posted["channel"]
    assert opened["already_open"]


async def test_reactions_are_counted_and_taken_back(simulator, client):
    """Both the bot's and people's are on the message."""
    ts = (await client.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    async with Person(simulator.url, "ana") as ana:
        await ana.react(GENERAL, ts, "thumbsup")
    await client.reactions_add(channel=GENERAL, timestamp=ts, name="+1")
    assert (await refusal(client.reactions_add(channel=GENERAL, timestamp=ts, name="+1")))["error"] == "already_reacted"
    assert (await refusal(client.reactions_add(channel=GENERAL, timestamp=ts, name="nope")))["error"] == "invalid_name"
    got = await client.reactions_get(channel=GENERAL, timestamp=ts)
    assert got["message"]["reactions"] == [{"name": "+1", "users": [ANA, BETO], "count": 2}]
    await client.reactions_remove(channel=GENERAL, timestamp=ts, name="+1")
    assert (await refusal(client.reactions_remove(channel=GENERAL, timestamp=ts, name="+1")))["error"] == "no_reaction"


async def test_a_person_has_room_for_23_reactions_on_a_message(client):
    """A bot with many labels meets this limit when it seeds reactions."""
    ts = (await client.chat_postMessage(channel=GENERAL, text="x"))["ts"]
    names = [f"clock{n}" for n in range(1, 13)] + [f"clock{n}30" for n in range(1, 12)]
    for name in names:
        await client.reactions_add(channel=GENERAL, timestamp=ts, name=name)
    assert (await refusal(client.reactions_add(channel=GENERAL, timestamp=ts, name="x")))["error"] == "too_many_reactions"


async def test_the_channels_that_the_bot_sees(client):
    """Public ones, and private ones where it is a member."""
    listed = await client.conversations_list(types="public_channel,private_channel")
    assert [one["name"] for one in listed["channels"]] == ["atencion", "general", "reclamos"]
    assert (await client.conversations_info(channel=GENERAL))["channel"]["is_member"]
    assert (await client.conversations_members(channel=GENERAL, limit=2))["members"] == sorted(
        (await client.conversations_members(channel=GENERAL))["members"]
    )[:2]


async def test_users_are_described(client):
    """Admins, guests and bots are told apart by these flags."""
    assert (await client.users_info(user=ANA))["user"]["is_admin"]
    members = (await client.users_list())["members"]
    assert {one["name"]: (one["is_bot"], one["is_restricted"]) for one in members} == {
        "ana": (False, False), "luis": (False, False), "maria": (False, False), "carlos": (False, True), "beto": (True, False),
    }  # fmt: skip
    assert (await client.bots_info(bot="B0SIMUBETO"))["bot"]["user_id"] == BETO


async def test_a_file_travels_by_the_clients_own_way(client):
    """files_upload_v2 asks for an address, sends the bytes and completes; the report's picture goes this way."""
    answer = await client.files_upload_v2(channel=GENERAL, filename="informe.png", content=b"\x89PNG", initial_comment="Informe")
    history = await client.conversations_history(channel=GENERAL, limit=1)
    (message,) = history["messages"]
    assert (message["text"], message["files"][0]["id"]) == ("Informe", answer["files"][0]["id"])
    async with aiohttp.ClientSession() as session, session.get(message["files"][0]["url_private"]) as response:
        assert (await response.read(), response.headers["X-Content-Type-Options"]) == (b"\x89PNG", "nosniff")


async def test_posts_are_limited_to_one_a_second_in_a_channel():
    """The bot must live with 429; another channel is not affected."""
    simulator = Simulator(manifest=granting("channels:join"))
    await simulator.start()
    client = AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
    await client.conversations_join(channel=GENERAL)
    await client.conversations_join(channel="C0SIMUATENCION")
    posts = (client.chat_postMessage(channel=GENERAL, text=str(n)) for n in range(6))
    outcomes = await asyncio.gather(*posts, return_exceptions=True)
    limited = [one.response for one in outcomes if isinstance(one, SlackApiError)]
    assert 1 <= len(limited) <= 2  # four at once, and one a second
    assert (limited[0].status_code, limited[0]["error"], limited[0].headers["Retry-After"]) == (429, "ratelimited", "1")
    assert (await client.chat_postMessage(channel="C0SIMUATENCION", text="x"))["ok"]
    await simulator.stop()


async def test_a_client_that_obeys_retry_after_gets_through(simulator, client):
    """slack_sdk's own handler must understand our 429."""
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=1))
    simulator.faults.fail_next("auth.test", "ratelimited")
    assert (await client.auth_test())["ok"]


async def test_faults_come_as_ordered_and_then_stop(simulator, client):
    """Tests of the bot's resilience order them one by one."""
    simulator.faults.fail_next("auth.test", 503)
    simulator.faults.fail_next("auth.test", "reset")
    with pytest.raises(SlackApiError) as failed:
        await client.auth_test()
    assert failed.value.response.status_code == 503
    client.retry_handlers.clear()
    with pytest.raises(aiohttp.ClientError):
        await client.auth_test()
    assert (await client.auth_test())["ok"]


async def test_the_transcript_tells_what_the_bot_called(simulator, client):
    """ "Exactly one reply" is asserted on it. No token is kept."""
    await client.chat_postMessage(channel=GENERAL, text="uno")
    await refusal(client.chat_postMessage(channel="C404", text="dos"))
    calls = [(call.method, call.arguments.get("text"), call.error) for call in simulator.transcript]
    assert calls == [("chat.postMessage", "uno", ""), ("chat.postMessage", "dos", "channel_not_found")]
    assert simulator.bot_token not in str(simulator.transcript)


async def test_who_hangs_up_in_the_middle_of_a_call_is_no_error_of_ours(simulator, client, caplog):
    """A bot that is killed leaves half a request; nothing was done for it, and the log stays clear for real faults."""
    url = URL(simulator.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST /api/chat.postMessage HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: 500\r\n\r\n{{".encode())
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()
    await asyncio.sleep(0.1)
    assert (await client.auth_test())["ok"]
    assert not caplog.records
