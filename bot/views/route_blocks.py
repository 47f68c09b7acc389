"""Routes as people see them: the list, the form for one, and the card in Slack. Pure, as `blocks` is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.views.blocks import (
    CHOICE,
    MOST_OPTIONS,
    Block,
    button,
    context,
    escape,
    mentions,
    plain_text,
    section,
    snippet,
    sorry,
    warn,
)
from bot.views.label_names import label_option, label_title, names
from bot.views.texts import Texts
from model.judgements import MessageState
from model.labels import Taxonomy
from model.routes import LEAST, MOST_CHANNELS, MOST_PEOPLE, Route
from model.schema import Prediction

ADD_BUTTON = "routes_add"
MENU = "routes_menu"
ROUTE_VIEW = "route_view"
# The fields of the form, each a block with one element of its name.
FIELDS = (CHOICE, "least", "channels", "card", "people", "group", "emoji", "webhook", "text")
_, LEAST_FIELD, CHANNELS, CARD, PEOPLE, GROUP, EMOJI, WEBHOOK, TEXT = FIELDS
# What a rehearsal found is shown so many messages of.
EXAMPLES = 3
MOST_ROUTES = 30


@dataclass(frozen=True)
class Listed:
    """A route in the list: what it is called, how it stands, and what a rehearsal on the last messages came to.

    `found` of `among` messages would have taken it; `links` lead to some of those that this person may read.
    """

    id: int
    route: Route
    is_on: bool
    hidden: bool = False  # this person may not read all of its channels
    can_undo: bool = False
    is_failing: bool = False
    waiting: int = 0
    secret: str = ""
    found: int = 0
    among: int = 0
    links: tuple[str, ...] = ()


def route_list(
    routes: Sequence[Listed], taxonomy: Taxonomy, texts: Texts, *, refused: str | None, warning: str = "", metadata: str
) -> dict[str, Any]:
    """Render all routes with how they stand. Whoever may not change them (`refused` says why) sees them without buttons."""
    rows = [row for each in routes[:MOST_ROUTES] for row in _row(each, taxonomy, texts, may_edit=refused is None)]
    top: list[Block] = [section(texts("routes.intro"))]
    if refused is None:
        top.append({"type": "actions", "elements": [button(ADD_BUTTON, texts("routes.add")) | {"style": "primary"}]})
    else:
        top.append(context(refused))
    return {
        "type": "modal",
        "private_metadata": metadata,
        "title": plain_text(texts("routes.title")),
        "close": plain_text(texts("routes.close")),
        "blocks": [*([warn(warning)] if warning else []), *top, *(rows or [section(texts("routes.nobody"))])],
    }


def route_form(route: Route | None, taxonomy: Taxonomy, texts: Texts, *, metadata: str, channel: str = "") -> dict[str, Any]:
    """Render the form for a route, which begins in `channel` where it is new; without any label there is nothing to choose."""
    if not taxonomy.labels:
        return sorry(texts("labels.none_yet"), texts)
    known = route or Route(labels=(), channels=(channel,) if channel else ())
    groups = [each for each in known.people if each.startswith("S")]
    return {
        "type": "modal",
        "callback_id": ROUTE_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("routes.form_new" if route is None else "routes.form_change")),
        "submit": plain_text(texts("routes.save")),
        "close": plain_text(texts("routes.cancel")),
        "blocks": [
            _input(CHOICE, _labels(known, taxonomy, texts), texts, optional=False),
            _input(LEAST_FIELD, _least(known, texts), texts, optional=False),
            _input(
                CHANNELS,
                _chosen("multi_conversations_select", "initial_conversations", list(known.channels))
                | {"filter": {"include": ["public", "private"]}, "max_selected_items": MOST_CHANNELS},
                texts,
                optional=False,
            ),
            _input(
                CARD,
                _chosen("conversations_select", "initial_conversation", known.card_in)
                | {"filter": {"include": ["public", "private"]}},
                texts,
            ),
            _input(
                PEOPLE,
                _chosen("multi_users_select", "initial_users", [each for each in known.people if not each.startswith("S")])
                | {"max_selected_items": MOST_PEOPLE},
                texts,
            ),
            _input(GROUP, _typed(", ".join(groups), 100), texts, hint=True),
            _input(EMOJI, _typed(known.emoji, 100), texts),
            _input(WEBHOOK, _typed(known.webhook, 500), texts, hint=True),
            _input(TEXT, _with_text(known, texts), texts),
        ],
    }


def told(route: Route, taxonomy: Taxonomy, texts: Texts, *, hidden: bool = False) -> str:
    """Return in one sentence what a route does; `hidden`: without the channels, which the reader may not know of."""
    done = []
    people = " ".join(_mention(each) for each in route.people)
    if route.card_in:
        done.append(texts("routes.does_card", channel=texts("routes.some_channel") if hidden else f"<#{route.card_in}>"))
    if people:
        done.append(texts("routes.does_people", people=people))
    if route.emoji:
        done.append(texts("routes.does_emoji", emoji=route.emoji))
    if route.webhook:
        host = route.webhook.removeprefix("https://").partition("/")[0]
        done.append(texts("routes.does_webhook_text" if route.with_text else "routes.does_webhook", host=escape(host)))
    where = texts("routes.some_channel") if hidden else ", ".join(f"<#{each}>" for each in route.channels)
    return texts(
        "routes.what",
        labels=names(route.labels, taxonomy, texts),
        percent=texts.percent(route.least),
        where=where,
        done=" · ".join(done),
    )


def card(
    labels: tuple[str, ...],
    state: MessageState,
    prediction: Prediction | None,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    link: str,
    channel: str,
    people: tuple[str, ...],
    hidden: bool,
    in_thread: bool,
) -> str:
    """Render what is said of a message that took a route, or that it is not so any more where no label leads it there."""
    if not labels:
        said = {user for label in state.labels.values() for user in (*label.no, *label.yes)} & set(state.judges)
        who = texts("routes.mended_by", people=mentions(tuple(sorted(said)))) if said else ""
        return texts("routes.mended_thread" if in_thread else "routes.mended", link=link, channel=channel, who=who)
    scores = {} if prediction is None else prediction.scores
    parts = []
    for name in labels:
        sign = f":{taxonomy[name].emoji}: " if name in taxonomy and taxonomy[name].emoji else ""
        is_said = state.labels[name].status in {"confirmed", "added"}
        mark = "✓" if is_said else texts.percent(scores.get(name, 0.0))
        parts.append(f"{sign}*{escape(label_title(name, taxonomy, texts))}* {mark}")
    told_labels = texts("routes.card_hidden") if hidden else "   ".join(parts)
    calls = " ".join(_mention(each) for each in people)
    text = texts("routes.card_thread" if in_thread else "routes.card", labels=told_labels, link=link, channel=channel)
    return f"{calls} {text}" if calls else text


def words(text: str) -> str:
    """Return the first words of a message, to stand in the channel that it is from."""
    return snippet(text)


def _mention(each: str) -> str:
    return f"<!subteam^{each}>" if each.startswith("S") else f"<@{each}>"


def _row(each: Listed, taxonomy: Taxonomy, texts: Texts, *, may_edit: bool) -> list[Block]:
    status = "routes.is_failing" if each.is_on and each.is_failing else "routes.is_on" if each.is_on else "routes.is_off"
    if each.hidden:
        return [section(f"*{each.id}.* {texts(status)} {texts('routes.hidden')}")]
    lines = [f"*{each.id}.* {texts(status)} {told(each.route, taxonomy, texts)}"]
    if each.waiting:
        lines.append(texts.counted("routes.waiting", each.waiting))
    row = section("\n".join(lines))
    small = []
    if not each.is_on:
        small.append(texts("routes.rehearsal", found=each.found, among=each.among, links=" ".join(each.links)).strip())
    if may_edit:
        if each.secret:
            small.append(texts("routes.secret", secret=each.secret))
        acts = ["off" if each.is_on else "on", "change", *(["test"] if each.route.webhook else [])]
        acts += [*(["undo"] if each.can_undo else []), "remove"]
        options = [{"text": plain_text(texts(f"routes.act_{act}")), "value": f"{act}:{each.id}"} for act in acts]
        row["accessory"] = {"type": "overflow", "action_id": MENU, "options": options}
    return [row | {"block_id": f"route:{each.id}"}, *([context("\n".join(small))] if small else [])]


def _labels(route: Route, taxonomy: Taxonomy, texts: Texts) -> Block:
    options = [label_option(label.name, taxonomy, texts) for label in taxonomy]
    element: Block = {"type": "multi_static_select", "placeholder": plain_text(texts("modal.choose"))}
    if len(options) < MOST_OPTIONS:
        element["options"] = options
    else:
        element |= {"type": "multi_external_select", "min_query_length": 0}
    if initial := [option for option in options if option["value"] in route.labels]:
        element["initial_options"] = initial
    return element


def _least(route: Route, texts: Texts) -> Block:
    options = {
        least: {"text": plain_text(texts("routes.least", percent=texts.percent(least))), "value": str(least)}
        for least in sorted({*LEAST, route.least})
    }
    return {"type": "static_select", "options": list(options.values()), "initial_option": options[route.least]}


def _with_text(route: Route, texts: Texts) -> Block:
    option = {"text": plain_text(texts("routes.with_text")), "value": "text"}
    return {"type": "checkboxes", "options": [option]} | ({"initial_options": [option]} if route.with_text else {})


def _chosen(kind: str, initial: str, value: object) -> Block:
    return {"type": kind} | ({initial: value} if value else {})


def _typed(value: str, longest: int) -> Block:
    return {"type": "plain_text_input", "max_length": longest} | ({"initial_value": value} if value else {})


def _input(name: str, element: Block, texts: Texts, *, optional: bool = True, hint: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain_text(texts(f"routes.field_{name}")),
        "element": {"action_id": name, **element},
    } | ({"hint": plain_text(texts(f"routes.hint_{name}"))} if hint else {})
