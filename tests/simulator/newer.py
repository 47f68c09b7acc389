"""Blocks that Slack has had since late 2025, to be sent to the simulator."""

from typing import Any


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def thumbs(**fields: Any) -> dict[str, Any]:
    good, bad = ({"text": plain(text), "value": value} for text, value in (("Sí", "yes"), ("No", "no")))
    return {"type": "feedback_buttons", "action_id": "f", "positive_button": good, "negative_button": bad, **fields}


def thumb(text: str = "Sí", **fields: Any) -> dict[str, Any]:
    return {"text": plain(text), "value": "v", **fields}


def row(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "context_actions", "elements": list(elements)}


def cell(text: str = "a") -> dict[str, Any]:
    return {"type": "raw_text", "text": text}


def number(value: float) -> dict[str, Any]:
    return {"type": "raw_number", "value": value, "text": str(value)}


def data_table(rows: list[list[dict[str, Any]]], **fields: Any) -> dict[str, Any]:
    return {"type": "data_table", "caption": "Cifras", "rows": rows, **fields}


def rich(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": list(parts) or [part("rich_text_section")]}


def part(kind: str, text: str = "hola") -> dict[str, Any]:
    return {"type": kind, "elements": [{"type": "text", "text": text}]}


def chart(categories: list[str], *series: tuple[str, list[str]], title: str = "Por semana", **axis: str) -> dict[str, Any]:
    drawn = [{"name": name, "data": [{"label": label, "value": 1.5} for label in labels]} for name, labels in series]
    shown = {"type": "bar", "series": drawn, "axis_config": {"categories": categories, **axis}}
    return {"type": "data_visualization", "title": title, "chart": shown}


def pie(*values: float) -> dict[str, Any]:
    segments = [{"label": str(n), "value": value} for n, value in enumerate(values)]
    return {"type": "data_visualization", "title": "Partes", "chart": {"type": "pie", "segments": segments}}


def task(task_id: str = "1", **fields: Any) -> dict[str, Any]:
    return {"task_id": task_id, "title": "Entrenar", "status": "pending", **fields}


def plan(*tasks: dict[str, Any], title: str = "Reentrenamiento") -> dict[str, Any]:
    return {"type": "plan", "title": title, "tasks": list(tasks)}


def container(*inside: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "container", "title": plain("Detalles"), "child_blocks": list(inside), **fields}


def alert(**fields: Any) -> dict[str, Any]:
    return {"type": "alert", "text": plain("Ojo"), **fields}


def names(count: int) -> list[str]:
    return [f"c{n}" for n in range(count)]
