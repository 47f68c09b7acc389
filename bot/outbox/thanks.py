"""Thanks that are true: what a person's judgements did for a version, told to them alone, once."""

from functools import cached_property
from typing import Any

from bot.outbox.client import NO_UNFURL, find_messages
from bot.outbox.states import Done
from bot.outbox.work import Content, Work
from bot.views.blocks import escape
from bot.views.label_names import label_title
from bot.views.texts import Texts, load_texts


class ThanksWork(Work):
    """A direct message to the person, who is in the row where else a channel is."""

    METADATA = "beto_thanks"
    NAMED = "key"

    def name(self) -> str:
        """Return the row's key."""
        return self.row.key

    def render(self) -> Content:
        """Return what it was, in the language that they have in Slack."""
        content, texts, taxonomy = self.row.content, self._texts, self.context.store.labels.current()
        return Content(
            texts.counted(
                "thanks.told",
                content["judged"],
                title=escape(label_title(content["label"], taxonomy, texts)),
                before=round(100 * content["before"]),
                after=round(100 * content["after"]),
                texts=content["texts"],
                version=content["version"],
            )
        )

    def find(self) -> list[str]:
        """Return the ts of each post of this row that stands in Slack."""
        return find_messages(self.slack, self._direct, self.is_ours, oldest=self.oldest())

    def post(self, content: Content) -> Done:
        """Post it."""
        posted = self.slack.chat_postMessage(**self._arguments(content), **NO_UNFURL)
        return Done(str(posted["ts"]))

    def _arguments(self, content: Content) -> dict[str, Any]:
        return super()._arguments(content) | {"channel": self._direct}

    @cached_property
    def _direct(self) -> str:
        """The channel of this person's direct messages with the bot; Slack gives the same one each time."""
        return str(self.slack.conversations_open(users=self.row.channel)["channel"]["id"])

    @cached_property
    def _texts(self) -> Texts:
        person = self.slack.users_info(user=self.row.channel, include_locale=True)["user"]
        language = str(person.get("locale") or "")[:2]
        return load_texts(language, self.context.settings.sign_emoji) if language in {"es", "en"} else self.context.texts
