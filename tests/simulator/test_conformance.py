"""The simulator's Web API beside Slack's reference: never more generous, never of another shape.

What needs the reference itself is skipped unless BETO_SLACK_REFERENCE names its folder (see tests/simulator/conformance.py).
"""

import os
from pathlib import Path

import pytest

from tests.simulator.conformance import GOOD, LEFT_OUT, PROVOKED, How, Reference, Slack, departures, lacks

FOLDER = os.environ.get("BETO_SLACK_REFERENCE", "")
METHODS = sorted(GOOD)
README = Path(__file__).parents[2] / "bot" / "simulator" / "README.md"


@pytest.fixture(scope="module")
def reference() -> Reference:
    if not FOLDER:
        pytest.skip("BETO_SLACK_REFERENCE names no folder with Slack's reference")
    return Reference(Path(FOLDER))


@pytest.mark.parametrize(("method", "error"), PROVOKED, ids=map(" ".join, PROVOKED))
async def test_each_mistake_is_answered_with_its_code(method: str, error: str) -> None:
    """An app that handles an error must be able to meet it."""
    how = PROVOKED[method, error]
    async with Slack(**how.app) as slack:
        answer = await slack.call(method, how)
    assert (answer["ok"], answer["error"]) == (False, error)


@pytest.mark.parametrize("method", METHODS)
async def test_any_error_can_be_ordered(method: str) -> None:
    """What only an administrator's rules or Slack's own troubles bring about is met by order, once."""
    async with Slack() as slack:
        slack.simulator.faults.fail_next(method, "restricted_action")
        assert await slack.call(method, GOOD[method]) == {"ok": False, "error": "restricted_action"}
        assert (await slack.call(method, GOOD[method]))["ok"]


def test_every_method_has_a_good_call() -> None:
    """A method that is served and not looked at here could answer anything."""
    assert Slack().simulator.methods.keys() == GOOD.keys()


# --- beside the reference ---


def test_every_error_that_is_claimed_is_documented(reference: Reference) -> None:
    """A code that Slack does not know would be handled for nothing."""
    documented = reference.errors()
    assert [one for one in PROVOKED if one not in documented] == []
    print(reference.summary())


@pytest.mark.parametrize("method", METHODS)
def test_scopes_rates_and_json_are_the_references(reference: Reference, method: str) -> None:
    """What works here with these scopes and in this form works there."""
    if method not in reference.methods:
        pytest.skip("not in the reference")
    documented, ours = reference.methods[method], Slack().simulator.methods[method]
    scopes = (documented.get("scope") or {}).get("bot", [])
    assert ours.scope in scopes or (ours.scope == "" and (len(scopes) != 1))
    assert ours.takes_json == bool(documented.get("json_input_supported"))
    assert f"t{ours.tier}" == documented["rate_limits"]


@pytest.mark.parametrize("method", METHODS)
async def test_without_its_scopes_a_method_is_refused(reference: Reference, method: str) -> None:
    """The refusal names what is needed and what there is."""
    scopes = (reference.methods.get(method, {}).get("scope") or {}).get("bot", [])
    if not scopes:
        pytest.skip("needs no scope")
    how = GOOD[method]
    async with Slack(without=tuple(scopes)) as slack:
        # Files cannot be there without the very scopes; the refusal comes before anybody looks for them.
        prepare = None if method.startswith("files.") else how.prepare
        answer = await slack.call(method, How(how.arguments, prepare))
        assert (answer["error"], answer["provided"].split(",")) == ("missing_scope", slack.scopes)
        assert answer["needed"] in scopes


@pytest.mark.parametrize("method", METHODS)
async def test_a_required_argument_that_is_missing_is_missed(reference: Reference, method: str) -> None:
    """With the error that the reference has for it, or with Slack's general one."""
    documented = reference.methods.get(method, {"args": {}})
    required = [one for one in documented["args"].get("required", ()) if one != "token"]
    for name in required:
        how = GOOD[method]
        async with Slack() as slack:
            prepared = how.prepare(slack) if how.prepare else {}
            given = {**how.arguments, **((await prepared if hasattr(prepared, "__await__") else prepared) or {})}
            answer = await slack.send(method, {key: value for key, value in given.items() if key != name})
        assert not answer["ok"], name
        assert answer["error"] in {"invalid_arguments", *documented["errors"]}, name
        if answer["error"] == "invalid_arguments":
            assert name in str(answer["response_metadata"]["messages"])


@pytest.mark.parametrize("method", METHODS)
async def test_a_good_reply_has_the_documented_fields(reference: Reference, method: str) -> None:
    """In the documented types: those of the schema, and those of the example, except what is left out knowingly."""
    if method not in reference.methods:
        pytest.skip("not in the reference")
    documented = reference.methods[method]
    async with Slack() as slack:
        answer = await slack.call(method, GOOD[method])
    assert answer["ok"], answer
    assert departures(documented["output"] or {}, answer) == []
    example = (documented.get("examples") or {}).get("success", {}).get("example", {})
    left_out = tuple(LEFT_OUT.get(method, ()))
    assert [one for one in lacks(example, answer) if not one.startswith(left_out)] == []


def test_the_documentation_has_the_table_as_it_is(reference: Reference) -> None:
    """A table that nobody renews says less every month."""
    text = README.read_text(encoding="utf-8")
    assert reference.table() in text
    assert reference.summary() in text
