"""Announcements: what concerns all in a channel, told there once."""

from bot.outbox.work import Content, Work
from bot.views import announcements, review_blocks
from model.labels import LabelEvent


class AnnouncementWork(Work):
    """A text of the locales, or a change that concerns all in the channel, told there."""

    METADATA = "beto_announcement"
    NAMED = "key"

    def name(self) -> str:
        """Return the row's key."""
        return self.row.key

    def render(self) -> Content:
        """Return the text with its values, or what changed."""
        content, texts = self.row.content, self.context.texts
        if "promotion" in content:
            return Content(announcements.promotion(content["promotion"], texts))
        if "portion" in content:
            return Content(*review_blocks.portion(texts, direct=content["portion"]["direct"]))
        if "labels" in content:
            events = [LabelEvent.model_validate(event) for event in content["labels"]]
            return Content(announcements.labels(events, self.context.store.labels.current(), texts))
        return Content(texts(content["text"], **content["values"]))
