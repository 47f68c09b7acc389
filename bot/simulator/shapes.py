"""Shapes of JSON values, and Slack's words for what is wrong with one."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

Errors = list[str]
Check = Callable[[Any, str, Errors], None]  # of a value at a JSON pointer; what is wrong goes to the errors
Shape = tuple[dict[str, Check], dict[str, Check]]  # fields: required, optional


def string(longest: int, shortest: int = 0) -> Check:
    """Make a check for a string of so many characters."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, str):
            errors.append(f"must be a string [json-pointer:{path}]")
        elif len(value) > longest:
            errors.append(f"must be less than {longest + 1} characters [json-pointer:{path}]")
        elif len(value) < shortest:
            errors.append(f"must be more than {shortest - 1} characters [json-pointer:{path}]")

    return check


def pattern(expression: str, what: str) -> Check:
    """Make a check for a string that matches all of `expression`; `what` describes it in the error."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, str) or not re.fullmatch(expression, value):
            errors.append(f"must be {what} [json-pointer:{path}]")

    return check


def integer(least: int, most: int) -> Check:
    """Make a check for a whole number in that range."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            errors.append(f"must be an integer between {least} and {most} [json-pointer:{path}]")

    return check


def number(value: Any, path: str, errors: Errors) -> None:
    """Check for a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        errors.append(f"must be a number [json-pointer:{path}]")


def choice(*allowed: str) -> Check:
    """Make a check for one of these strings."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if value not in allowed:
            errors.append(f"must be a valid enum value [json-pointer:{path}]")

    return check


def boolean(value: Any, path: str, errors: Errors) -> None:
    """Check for true or false."""
    if not isinstance(value, bool):
        errors.append(f"must be a boolean [json-pointer:{path}]")


def anything(value: Any, path: str, errors: Errors) -> None:
    """Accept any value."""


def array(check_one: Check, most: int, least: int = 1) -> Check:
    """Make a check for an array of so many items, each accepted by `check_one`."""

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, list):
            errors.append(f"must be an array [json-pointer:{path}]")
        elif len(value) > most:
            errors.append(f"no more than {most} items allowed [json-pointer:{path}]")
        elif len(value) < least:
            errors.append(f"no fewer than {least} items allowed [json-pointer:{path}]")
        else:
            for n, one in enumerate(value):
                check_one(one, f"{path}/{n}", errors)

    return check


def json_object(shape: Shape) -> Check:
    """Make a check for an object with all required fields and no others than the optional ones; `type` is always allowed."""
    required, optional = shape

    def check(value: Any, path: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            errors.append(f"must be an object [json-pointer:{path}]")
            return
        errors.extend(f"missing required field: {name} [json-pointer:{path}]" for name in required if name not in value)
        for name, inside in value.items():
            one = required.get(name) or optional.get(name)
            if one is not None:
                one(inside, f"{path}/{name}", errors)
            elif name != "type":
                errors.append(f"invalid additional property: {name} [json-pointer:{path}]")

    return check


def typed(shapes: Mapping[str, Shape], allowed: frozenset[str] | None = None) -> Check:
    """Make a check for an object of the shape that its `type` names; `allowed` limits the types."""

    def check(value: Any, path: str, errors: Errors) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in shapes or (allowed is not None and kind not in allowed):
            errors.append(f"unsupported type: {kind} [json-pointer:{path}/type]")
        else:
            json_object(shapes[kind])(value, path, errors)

    return check
