"""Work on a row that is about a message: the base of replies, and of what is asked in their threads."""

from bot.outbox.work import Work
from model.labels import Taxonomy
from model.store.stored_message import StoredMessage


class AboutMessage(Work):
    """Work on a row that is about a message."""

    @property
    def stored(self) -> StoredMessage:
        """The message."""
        assert self.claim.message is not None  # a foreign key: there is no such row without one
        return self.claim.message

    @property
    def place(self) -> str:
        """What the message is called in metadata."""
        message = self.stored.message
        return f"{self.context.team}:{message.channel}:{message.ts}"

    def is_muted(self) -> bool:
        """Return whether somebody wants nothing more said about the message."""
        return self.claim.is_muted

    def used_labels(self, taxonomy: Taxonomy) -> tuple[str, ...] | None:
        """Return the labels that the message's channel uses, by their names of today; None for all."""
        return None if self.claim.labels is None else taxonomy.today(self.claim.labels)
