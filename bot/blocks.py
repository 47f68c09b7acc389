"""Our types to Block Kit. Pure: the same input gives the same message, and nothing here asks Slack or the store."""

from typing import Any

from bot.texts import Texts
from model.labels import Taxonomy
from model.schema import Prediction

Block = dict[str, Any]


def escape(text: str) -> str:
    """`text` as plain characters in mrkdwn: only `&`, `<` and `>` mean something there (Slack's formatting page)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def section(text: str) -> Block:
    """A paragraph of mrkdwn, cut at Slack's 3,000 characters."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}


def context(*texts: str) -> Block:
    """A small grey line."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:2000]} for text in texts]}


def reply(prediction: Prediction, taxonomy: Taxonomy, texts: Texts) -> tuple[str, list[Block]]:
    """The reply in the thread, and its text for notifications: each label with its probability, strongest first.

    Where no label passes its threshold, the best guess stands there as a guess.
    """
    named = [(name, *_name_and_emoji(name, taxonomy, texts)) for name in prediction.labels]
    if named:
        body = "   ".join(
            texts("reply.label", emoji=emoji, title=escape(title), percent=texts.percent(prediction.scores[name]))
            for name, title, emoji in named
        )
        summary = " · ".join(f"{title} {texts.percent(prediction.scores[name])}" for name, title, _ in named)
    else:
        best = max(prediction.scores, key=lambda name: prediction.scores[name])
        title, emoji = _name_and_emoji(best, taxonomy, texts)
        body = texts("reply.none", emoji=emoji, title=escape(title), percent=texts.percent(prediction.scores[best]))
        summary = texts("reply.none_short")
    small = texts("reply.signature", base=escape(base_name(prediction.base)), version=prediction.version)
    if prediction.truncated:
        small = f"{texts('reply.truncated')}\n{small}"
    return summary, [section(body), context(small)]


def base_name(base: str) -> str:
    """How the network that answered is called: `mini` is never called BETO."""
    if base == "mini":
        return "mini"
    return "BETO" if "bert-base-spanish-wwm" in base else base.rstrip("/").rsplit("/", 1)[-1]


def home(taxonomy: Taxonomy, texts: Texts, bot: str) -> dict[str, Any]:
    """The app's Home tab: what it does, and what each label means."""
    labels = [f":{label.emoji}: *{texts.title(label)}*: {label.description}" for label in taxonomy]
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": texts("home.title")}},
            section(texts("command.help", bot=bot)),
            {"type": "divider"},
            {"type": "header", "text": {"type": "plain_text", "text": texts("home.labels")}},
            *(section("\n".join(labels[start : start + 7])) for start in range(0, len(labels), 7)),
        ],
    }


def _name_and_emoji(name: str, taxonomy: Taxonomy, texts: Texts) -> tuple[str, str]:
    """A label's title and emoji; a label of an older set that was retired since keeps its bare name."""
    return (texts.title(taxonomy[name]), taxonomy[name].emoji) if name in taxonomy else (name, "label")
