"""The modal in which labels are corrected. Pure, as `blocks` is."""

from collections.abc import Collection
from typing import Any

from bot.views.blocks import CHOICE, EDIT_VIEW, NOTE, Block, button, context, plain_text, quote, sorry, warn
from bot.views.guide_blocks import GUIDE_BUTTON
from bot.views.label_names import label_option, menu_of
from bot.views.reply_blocks import who_said_what
from bot.views.texts import Texts
from model.judgements import MessageState
from model.labels import Taxonomy


def labels_modal(
    text: str,
    chosen: tuple[str, ...],
    state: MessageState | None,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    metadata: str,
    warning: str = "",
    among: Collection[str] | None = None,
) -> dict[str, Any]:
    """Render the modal with every label to choose from that is `among` the channel's or chosen, described, and a note.

    From `MOST_OPTIONS` labels on, the menu asks for those that match what is typed (see `label_options`).
    """
    choice: Block = {
        "type": "multi_static_select",
        "action_id": CHOICE,
        "placeholder": plain_text(texts("modal.choose")),
        "focus_on_load": True,
    }
    offered = [label for label in taxonomy if among is None or label.name in among or label.name in chosen]
    options = [label_option(label.name, taxonomy, texts) for label in offered]
    choice |= menu_of(offered, texts, taxonomy)
    if initial := [option for option in options if option["value"] in chosen]:
        choice["initial_options"] = initial
    said = who_said_what(state, taxonomy, texts) if state is not None else []
    if not taxonomy.labels:
        return sorry(texts("labels.none_yet"), texts)
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("modal.title")),
        "submit": plain_text(texts("modal.submit")),
        "close": plain_text(texts("modal.close")),
        "blocks": [
            *([warn(warning)] if warning else []),
            quote(text, 600),
            *([context("\n".join(said))] if said else []),
            {"type": "actions", "elements": [button(GUIDE_BUTTON, texts("guide.open"))]},
            {
                "type": "input",
                "block_id": CHOICE,
                "optional": True,  # no label at all is an answer
                "label": plain_text(texts("modal.labels")),
                "hint": plain_text(texts("modal.hint")),
                "element": choice,
            },
            {
                "type": "input",
                "block_id": NOTE,
                "optional": True,
                "label": plain_text(texts("modal.note")),
                "element": {"type": "plain_text_input", "action_id": NOTE, "multiline": True, "max_length": 500},
            },
        ],
    }
