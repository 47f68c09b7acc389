"""Steps of workflows: the functions of an app's manifest, executed by people's workflows and completed by the app."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from bot.simulator.arguments import Arguments
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.installation import Method
from bot.simulator.workspace import Bot

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "array": (list,), "object": (dict,),
}  # fmt: skip
LONGEST_ERROR = 1000  # what the page of a workflow's runs shows


class Functions:
    """The functions of one app, and each execution of one with what came of it.

    There is no Workflow Builder here: whoever runs a step gives its inputs, as the workflow would.
    """

    def __init__(self, bot: Bot, manifest: Json, clock: Callable[[], float]) -> None:
        settings = manifest["settings"]
        remote = settings.get("function_runtime") == "remote" and settings.get("org_deploy_enabled") is True
        # Slack offers no step of an app that is not made ready for organisations.
        self.by_callback_id: dict[str, Json] = manifest.get("functions", {}) if remote else {}
        self._bot = bot
        self._clock = clock
        self.executions: dict[str, Json] = {}
        self.ended: dict[str, asyncio.Event] = {}
        self.methods = {
            "functions.completeSuccess": Method(self._complete_success),
            "functions.completeError": Method(self._complete_error),
        }

    def execute(self, callback_id: str, inputs: Json) -> Json:
        """Begin an execution, and return the event that tells the app; raises SlackError for a step or inputs that there are not.

        A required input without a value never reaches an app: the workflow fails before.
        """
        function = self.by_callback_id.get(callback_id)
        if function is None:
            raise SlackError("function_not_found")
        if problems := _problems(function.get("input_parameters", {}), inputs):
            raise SlackError("parameter_validation_failed", response_metadata={"messages": problems})
        execution = f"Fx{secrets.token_hex(5).upper()}"
        token = f"xwfp-{secrets.token_hex(16)}"
        self.executions[execution] = {"status": "running", "callback_id": callback_id, "inputs": inputs, "token": token}
        self.ended[execution] = asyncio.Event()
        now = int(self._clock())
        described = {
            "id": f"Fn{callback_id.upper()[:9]}", "callback_id": callback_id, "title": function["title"],
            "description": function.get("description", ""), "type": "app", "app_id": self._bot.app_id,
            "input_parameters": _listed(function.get("input_parameters", {})),
            "output_parameters": _listed(function.get("output_parameters", {})),
            "date_created": now, "date_updated": now, "date_deleted": 0,
        }  # fmt: skip
        return {
            "type": "function_executed", "function": described, "inputs": inputs, "function_execution_id": execution,
            "workflow_execution_id": f"Wx{secrets.token_hex(5).upper()}", "event_ts": f"{self._clock():.6f}",
            "bot_access_token": token,
        }  # fmt: skip

    def has_token(self, token: str) -> bool:
        """Return whether this is the token of a step that runs."""
        return any(one["token"] == token and one["status"] == "running" for one in self.executions.values())

    def _complete_success(self, args: Arguments) -> Json:
        execution = self._running(args)
        outputs = args.data("outputs", "invalid_arguments")
        if not isinstance(outputs, dict):
            raise invalid_arguments("missing required field: outputs")
        declared = self.by_callback_id[execution["callback_id"]].get("output_parameters", {})
        if problems := _problems(declared, outputs):
            raise SlackError("parameter_validation_failed", response_metadata={"messages": problems})
        return self._end(args, execution, {"status": "success", "outputs": outputs})

    def _complete_error(self, args: Arguments) -> Json:
        execution = self._running(args)
        return self._end(args, execution, {"status": "error", "error": args.required("error")[:LONGEST_ERROR]})

    def _end(self, args: Arguments, execution: Json, how: Json) -> Json:
        execution |= how
        self.ended[args.required("function_execution_id")].set()
        return {}

    def _running(self, args: Arguments) -> Json:
        execution = self.executions.get(args.required("function_execution_id"))
        if execution is None:
            raise SlackError("function_execution_not_found")
        if execution["status"] != "running":
            raise SlackError("execution_not_in_running_state")
        return execution


def _problems(declared: Json, values: Json) -> list[str]:
    """Return what is wrong with these values, in Slack's words; nothing where they fit what the manifest declares."""
    properties: Json = declared.get("properties", {})
    found = [f"[ERROR] missing required field: {name}" for name in declared.get("required", ()) if values.get(name) in (None, "")]
    for name, value in values.items():
        if name not in properties:
            found.append(f"[ERROR] unknown parameter: {name}")
        elif value is not None and not _fits(value, properties[name]["type"]):
            found.append(f"[ERROR] expected {properties[name]['type']}: {name}")
    return found


def _fits(value: Any, kind: str) -> bool:
    # Slack's own types, such as slack#/types/user_id, are text; a boolean is no number.
    wanted = _TYPES.get(kind, (str,))
    return isinstance(value, wanted) and (bool in wanted or not isinstance(value, bool))


def _listed(declared: Json) -> list[Json]:
    required = declared.get("required", ())
    return [{**one, "name": name, "is_required": name in required} for name, one in declared.get("properties", {}).items()]
