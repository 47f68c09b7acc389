"""Steps of workflows: executed by a person, completed by an unchanged Bolt app, checked as Slack checks them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.complete.async_complete import AsyncComplete
from slack_bolt.context.fail.async_fail import AsyncFail
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.ports import free_port
from bot.simulator.errors import Json, SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator

MANIFEST: Json = {
    "display_information": {"name": "Eco"},
    "features": {"bot_user": {"display_name": "eco"}},
    "oauth_config": {"scopes": {"bot": ["chat:write"]}},
    "settings": {"socket_mode_enabled": True, "function_runtime": "remote", "org_deploy_enabled": True},
    "functions": {
        "echo": {
            "title": "Eco",
            "input_parameters": {
                "properties": {"text": {"type": "string"}, "times": {"type": "integer"}}, "required": ["text"],
            },
            "output_parameters": {
                "properties": {"said": {"type": "string"}, "sure": {"type": "boolean"}}, "required": ["said"],
            },
        }
    },
}  # fmt: skip


@pytest.fixture(params=["socket", "http"])
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """An app of somebody's that repeats what it is given, fails on command, and waits for ever where it is told nothing."""
    http = request.param == "http"
    port = free_port()
    made = Simulator(manifest=MANIFEST, events_url=f"http://127.0.0.1:{port}/slack/events" if http else None)
    await made.start()
    app = AsyncApp(token=made.bot_token, signing_secret=made.signing_secret, client=client_of(made, made.bot_token))

    @app.function("echo")
    async def echo(inputs: dict[str, Any], complete: AsyncComplete, fail: AsyncFail) -> None:
        if inputs["text"] == "falla":
            await fail("no quiero")
        elif inputs["text"] != "calla":
            await complete({"said": inputs["text"] * inputs.get("times", 1)})

    if http:
        server = web.AppRunner(app.web_app("/slack/events", port))
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", port).start()
        yield made
        await made.stop()
        await server.cleanup()
    else:
        handler = AsyncSocketModeHandler(app, made.app_token)
        await handler.connect_async()
        yield made
        await handler.close_async()
        await made.stop()


def client_of(simulator: Simulator, token: str) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=f"{simulator.url}/api/")


async def test_a_step_reaches_a_bolt_app_and_what_it_says_reaches_the_workflow(simulator: Simulator) -> None:
    """With the token that comes with the event, as Bolt does it by itself."""
    async with Person(simulator.url, "ana") as ana:
        done = await ana.step(await ana.run_step("echo", {"text": "ay", "times": 2}))
        assert done == {"status": "success", "outputs": {"said": "ayay"}}
        assert await ana.step(await ana.run_step("echo", {"text": "falla"})) == {"status": "error", "error": "no quiero"}
        with pytest.raises(SlackError, match="parameter_validation_failed"):  # a workflow fails before it asks the app
            await ana.run_step("echo", {"times": 2})
        with pytest.raises(SlackError, match="function_not_found"):
            await ana.run_step("other", {})
    assert {call.error for call in simulator.transcript if call.method.startswith("functions.")} == {""}


async def test_an_execution_is_completed_once_with_what_was_declared(simulator: Simulator) -> None:
    """Slack takes one answer, so that an app that does not know whether its first one came may give it again."""
    async with Person(simulator.url, "ana") as ana:
        execution = await ana.run_step("echo", {"text": "calla"})
        assert await ana.step(execution, timeout_s=0) == {"status": "running"}
        slack = client_of(simulator, simulator.bot_token)

        async def refused(method: str, **arguments: Any) -> str:
            with pytest.raises(SlackApiError) as error:
                await slack.api_call(method, json=arguments)
            return str(error.value.response["error"])

        success, failure = "functions.completeSuccess", "functions.completeError"
        assert await refused(success, function_execution_id=execution) == "invalid_arguments"
        assert await refused(success, function_execution_id="FxNONE", outputs={}) == "function_execution_not_found"
        for outputs in ({}, {"said": 3}, {"said": "a", "more": "b"}, {"said": "a", "sure": 1}):
            wrong = await refused(success, function_execution_id=execution, outputs=outputs)
            assert wrong == "parameter_validation_failed", outputs
        assert await refused(failure, function_execution_id=execution) == "invalid_arguments"
        await slack.functions_completeSuccess(function_execution_id=execution, outputs={"said": "a", "sure": True})
        assert await refused(failure, function_execution_id=execution, error="x") == "execution_not_in_running_state"
        assert (await ana.step(execution))["outputs"] == {"said": "a", "sure": True}
        # The step's own token has ended with it.
        own = client_of(simulator, simulator.apps[0].functions.executions[execution]["token"])
        with pytest.raises(SlackApiError, match="invalid_auth"):
            await own.auth_test()


def test_an_app_that_is_not_made_ready_for_organisations_has_no_steps() -> None:
    """As in Slack, where Workflow Builder does not show them: whoever forgets the setting sees it here."""
    made = Simulator(manifest={**MANIFEST, "settings": {**MANIFEST["settings"], "org_deploy_enabled": False}})
    with pytest.raises(SlackError, match="function_not_found"):
        made.apps[0].run_step("echo", {"text": "a"})
