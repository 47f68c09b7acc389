"""The screen on which a channel chooses how labels are shown. Pure, as `blocks` is."""

from typing import Any

from bot.views.blocks import Block, context, escape, plain_text, section
from bot.views.texts import Texts
from model.labels import Label, Taxonomy
from model.showing import DISPLAYS, Display, Showing

SHOWING_VIEW = "showing_view"
# The fields, each a block with one element of its name.
FIELDS = ("display", "delay", "rest_begins", "rest_ends", "zone")
DISPLAY, DELAY, REST_BEGINS, REST_ENDS, ZONE = FIELDS
DELAYS = (0, 1, 2, 5, 10, 30, 60, 120)
# In the preview, where the team has such labels; else its first ones.
PREVIEWED = ("tarjeta", "reclamo")


def showing_form(showing: Showing, taxonomy: Taxonomy, texts: Texts, *, zone: str, metadata: str) -> dict[str, Any]:
    """Render the three choices, what each looks like, and when nothing is to be posted; `zone` stands there to begin with."""
    rest = showing.rest
    return {
        "type": "modal",
        "callback_id": SHOWING_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("showing.title")),
        "submit": plain_text(texts("showing.save")),
        "close": plain_text(texts("showing.close")),
        "blocks": [
            _choice(DISPLAY, "radio_buttons", {name: _option(name, texts) for name in DISPLAYS}, showing.display, texts),
            *(section(_preview(name, taxonomy, texts)) for name in DISPLAYS),
            {"type": "divider"},
            _choice(DELAY, "static_select", _delays(showing.delay_minutes, texts), str(showing.delay_minutes), texts),
            _time(REST_BEGINS, rest.begins if rest is not None else "", texts),
            _time(REST_ENDS, rest.ends if rest is not None else "", texts),
            _zone(rest.zone if rest is not None else zone, texts),
            context(texts("showing.how")),
        ],
    }


def told(showing: Showing, texts: Texts) -> str:
    """Return in a sentence or two how labels are shown."""
    said = [texts(f"showing.is_{showing.display}")]
    if showing.delay_minutes:
        said.append(texts.counted("showing.waits", showing.delay_minutes))
    if showing.rest is not None:
        rest = showing.rest
        said.append(texts("showing.rests", begins=rest.begins, ends=rest.ends, zone=escape(rest.zone)))
    return " ".join(said)


def _preview(display: Display, taxonomy: Taxonomy, texts: Texts) -> str:
    labels = _previewed(taxonomy)
    names = "   ".join(
        f":{label.emoji}: *{escape(texts.title(label))}* {texts.percent(0.97 - 0.06 * at)}" for at, label in enumerate(labels)
    )
    emoji = "   ".join(f":{label.emoji}: 1" for label in labels)
    return texts(f"showing.preview_{display}", message=texts("showing.example"), labels=names, emoji=emoji)


def _previewed(taxonomy: Taxonomy) -> list[Label]:
    with_emoji = [label for label in taxonomy if label.emoji]
    return ([label for label in with_emoji if label.name in PREVIEWED] or with_emoji)[:2]


def _option(display: Display, texts: Texts) -> Block:
    what = plain_text(texts(f"showing.{display}_what"))
    return {"text": plain_text(texts(f"showing.{display}")), "value": display, "description": what}


def _delays(chosen: int, texts: Texts) -> dict[str, Block]:
    return {
        str(minutes): {
            "text": plain_text(texts.counted("showing.minutes", minutes) if minutes else texts("showing.at_once")),
            "value": str(minutes),
        }
        for minutes in sorted({*DELAYS, chosen})
    }


def _choice(name: str, kind: str, options: dict[str, Block], chosen: str, texts: Texts) -> Block:
    element: Block = {"type": kind, "options": list(options.values()), "initial_option": options[chosen]}
    return _input(name, element, texts, optional=False)


def _zone(zone: str, texts: Texts) -> Block:
    return _input(ZONE, {"type": "plain_text_input", "max_length": 60, "initial_value": zone}, texts)


def _time(name: str, at: str, texts: Texts) -> Block:
    return _input(name, {"type": "timepicker"} | ({"initial_time": at} if at else {}), texts)


def _input(name: str, element: Block, texts: Texts, *, optional: bool = True) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain_text(texts(f"showing.field_{name}")),
        "element": {"action_id": name, **element},
    }
