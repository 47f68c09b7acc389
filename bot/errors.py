"""What can go wrong in `bot`, each with a sentence that names the thing and the way out."""


class BotError(Exception):
    """Base of everything that `bot` raises on purpose; its text is meant for an operator."""


class StartRefused(BotError):
    """The bot, or a process that belongs to it, cannot start."""
