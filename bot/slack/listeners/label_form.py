"""The form of a label: what it describes, and what of it cannot be."""

import re
import unicodedata

from bot.slack.context import ListenerContext
from bot.slack.payloads.views import ViewSubmission
from bot.views import label_blocks
from model.labels import Label, Taxonomy, slack_name

NAME_LENGTH = 40


def label_of(parsed: ViewSubmission, taxonomy: Taxonomy, context: ListenerContext) -> Label:
    """Return the label that the form describes: a new one gets a name from its title, which never changes afterwards."""
    title, mask = parsed.field(label_blocks.TITLE), context.store.mask
    described = {
        "title": title,
        "title_en": parsed.field(label_blocks.TITLE_EN) or title,
        "emoji": slack_name(parsed.field(label_blocks.EMOJI)),
        "description": mask(parsed.field(label_blocks.DESCRIPTION)),
        "examples": _lines(mask(parsed.field(label_blocks.EXAMPLES))),
        "counterexamples": _lines(mask(parsed.field(label_blocks.COUNTEREXAMPLES))),
        "group": " ".join(parsed.field(label_blocks.GROUP).split()),
    }
    preference = parsed.field(label_blocks.PREFER) or "balance"
    if parsed.opened.label in taxonomy:
        label = taxonomy[str(parsed.opened.label)]
        # What was set and left as it is goes on following the setting.
        if preference != (taxonomy.with_preferences(context.settings.preferences)[label.name].prefer or "balance"):
            described["prefer"] = preference
        return label.model_copy(update=described)
    described["prefer"] = preference if preference != "balance" else ""
    return Label(name=parsed.opened.label or _new_name(title, taxonomy), **described)


def what_is_wrong(label: Label, taxonomy: Taxonomy, context: ListenerContext) -> dict[str, str]:
    """Return what cannot be, by the field that says it; {} where nothing is wrong."""
    texts, wrong = context.texts, {}
    chosen = context.settings.label_emoji_by_name
    if label.name in chosen and label.name in taxonomy and label.emoji != taxonomy[label.name].emoji:
        # It would be saved, and shown nowhere.
        return {label_blocks.EMOJI: texts("labels.emoji_set")}
    same = next((each for each in taxonomy if each.title.lower() == label.title.lower() and each.name != label.name), None)
    if same is not None:
        wrong[label_blocks.TITLE] = texts("labels.title_taken")
    if label.emoji:
        owner = taxonomy.by_emoji(label.emoji) or taxonomy.with_emoji(chosen).by_emoji(label.emoji)
        if not re.fullmatch(r"[\w+'-]{1,100}", label.emoji):
            wrong[label_blocks.EMOJI] = texts("labels.emoji_unknown")
        elif context.settings.sign_emoji.kind_of(label.emoji) is not None:
            wrong[label_blocks.EMOJI] = texts("labels.emoji_sign")
        elif owner is not None and owner.name != label.name:
            wrong[label_blocks.EMOJI] = texts("labels.emoji_taken", label=texts.title(owner))
    return wrong


def _new_name(title: str, taxonomy: Taxonomy) -> str:
    """Return a name that no label has or had, in ASCII: `Tarjeta de crédito` becomes `tarjeta_de_credito`."""
    plain = unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[: NAME_LENGTH - 3] or "etiqueta"
    taken = {*taxonomy.names, *taxonomy.renamed}
    return next(name for number in range(1, 1000) if (name := stem if number == 1 else f"{stem}_{number}") not in taken)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
