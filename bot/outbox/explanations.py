"""Why a message has its labels: what the modal of whoever asked shows, once the worker has worked it out."""

import json
import logging
from dataclasses import replace
from functools import cached_property

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.outbox.about import AboutMessage
from bot.outbox.context import OutboxContext
from bot.outbox.replies import known_from
from bot.outbox.states import Done, Facts
from bot.outbox.work import Content
from bot.views import blocks, why_blocks
from bot.views.texts import load_texts
from bot.views.why_blocks import Near
from model.labels import Taxonomy
from model.schema import Explanation
from model.serving.normalise import normalise
from model.store.judged_messages import Judged

log = logging.getLogger(__name__)

# Judged messages that are shown, and people named with each.
SHOWN = 3


class ExplanationWork(AboutMessage):
    """Why, for one person, in the modal that they opened; whether they may see the message was asked of Slack when they did."""

    METADATA = "beto_explanation"
    NAMED = "key"

    def name(self) -> str:
        """Return the row's key; nothing is looked for by it."""
        return self.row.key

    def facts(self, *, in_turn: bool) -> Facts:  # noqa: ARG002 - only replies have turns
        """Return what is known before the first call: one person is told, whatever became of the message."""
        return Facts(self.row.kind, private=True, tries=self.row.tries)

    def render(self) -> Content:
        """Return the answer, or why there is none any more."""
        texts, stored, made = self._context.texts, self.stored, self.row.content.get("explanation")
        taxonomy = self.context.store.labels.current()
        judged = self.context.store.judged.of(stored.id, taxonomy)
        if stored.deleted or judged is None:
            self._view = why_blocks.sentence(texts("modal.gone"), texts)
        elif stored.message.blind and not judged.state.judges:
            self._view = why_blocks.sentence(texts("why.blind"), texts)
        elif made is None or not stored.message.text:
            self._view = why_blocks.sentence(texts("why.expired"), texts)
        else:
            self._view = self._explain(Explanation.model_validate(made), judged, taxonomy)
        return Content("")

    def answer(self, content: Content) -> Done:  # noqa: ARG002 - a modal has no text of its own
        """Show it in the modal; whoever has closed that does not wait for it any more."""
        try:
            self.slack.views_update(view_id=str(self.row.content["asked"]["view"]), view=self._view)
        except SlackApiError as error:
            log.info("%s is not shown: %s", self.row.key, refusal(error))
        return Done()

    @cached_property
    def _context(self) -> OutboxContext:
        """The same, in the language of whoever asked."""
        language = str(self.row.content["asked"].get("language") or self.context.texts.language)
        return replace(self.context, texts=load_texts(language, self.context.settings.sign_emoji))

    def _explain(self, explained: Explanation, judged: Judged, taxonomy: Taxonomy) -> dict[str, object]:
        context, stored, asked = self._context, self.stored, self.row.content["asked"]
        if explained.revision != stored.revision:
            return why_blocks.sentence(context.texts("why.changed"), context.texts)
        version = context.store.registry.get(explained.version)
        return why_blocks.explanation(
            explained,
            normalise(stored.message.text).split(),
            judged.state,
            taxonomy,
            context.texts,
            known=""
            if judged.state.judges
            else known_from(context, explained.known_from, stored, taxonomy, is_member=bool(asked["is_member"])),
            near=self._near(explained, taxonomy),
            asked=asked.get("label"),
            describes=version is not None and version.card.describes,
            metadata=json.dumps({"message": stored.id}),
        )

    def _near(self, explained: Explanation, taxonomy: Taxonomy) -> list[Near]:
        """Return the nearest judged messages that this person may see: of the same channel, or of public ones to full members."""
        found: list[Near] = []
        context, store = self.context, self.context.store
        for message_id in explained.near:
            near, judged = store.messages.get(message_id), store.judged.of(message_id, taxonomy)
            if near is None or judged is None or near.deleted or not near.message.text or not judged.state.judges:
                continue
            channel = near.message.channel
            same = channel == self.stored.message.channel
            if not same and not (self.row.content["asked"]["is_member"] and context.public_channels.has(channel)):
                continue
            link = context.link_to(channel, near.message.ts, blocks.snippet(near.message.text))
            found.append(Near(link, judged.state.shown, judged.state.judges))
            if len(found) == SHOWN:
                break
        return found
