"""What the `replies` process works with, built once by its root and handed on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery.canvas import Signature
from slack_sdk.errors import SlackApiError

from bot.errors import StartRefused, refusal
from bot.forms import Forms
from bot.locks import TtlLock
from bot.outbox.client import CALL_WITHIN_S, RateLimitedClient
from bot.outbox.judges import Judges
from bot.outbox.names import Names
from bot.outbox.public_channels import PublicChannels
from bot.outbox.rate_limit import RateLimiter
from bot.outbox.states import AmbiguousResult, RateLimited
from bot.settings import BotSettings
from bot.views.texts import Texts, load_texts
from model.labels import Taxonomy
from model.store.store import Store

log = logging.getLogger(__name__)

# A training tells little; what tells of it may wait for its turn for a moment. Well within a lease.
PATIENCE_S = 8.0
# Between two attempts to reach Slack at the start.
UNREACHED_S = 5.0


@dataclass(frozen=True)
class OutboxContext:
    """Dependencies shared by all tasks of the `replies` process."""

    settings: BotSettings
    store: Store
    texts: Texts
    locks: TtlLock
    limiter: RateLimiter
    slack: RateLimitedClient  # waits for nothing: what must wait is on the queue again
    patient_slack: RateLimitedClient
    judges: Judges
    public_channels: PublicChannels
    names: Names
    team: str
    bot_user: str
    workspace_url: str  # where permalinks begin

    def link_to(self, channel: str, ts: str, words: str) -> str:
        """Return these words as a link to a message."""
        return f"<{self.workspace_url}archives/{channel}/p{ts.replace('.', '')}|{words}>"

    def publish(self, signature: "Signature[None]", *, countdown_s: float = 0.0) -> None:
        """Publish the task, or log that it was not: its row is saved, and the sweep finds it."""
        try:
            signature.apply_async(countdown=countdown_s)
        except Exception as error:  # kombu lets every transport's own exceptions through
            log.warning("could not publish %s, the sweep will: %r", signature.task, error)


def used_labels(context: OutboxContext, channel: str, taxonomy: Taxonomy) -> tuple[str, ...] | None:
    """Return the labels that the channel uses, by their names of today; None for all."""
    chosen = context.store.channels.labels(channel)
    return None if chosen is None else taxonomy.today(chosen)


def build_context(settings: BotSettings, store: Store, *, wait: Callable[[float], object]) -> OutboxContext:
    """Build the context of this process; StartRefused where the token or the database is not of this workspace, or two
    things have one emoji.

    While Slack cannot be reached, `wait` is called with the seconds until the next attempt.
    """
    limiter = RateLimiter(settings.redis_url, settings.slack_rate)
    token = settings.slack_bot_token.get_secret_value()

    locks = TtlLock(settings.redis_url)
    forms = Forms(locks, settings.screens)
    options: dict[str, Any] = {"limiter": limiter, "forms": forms, "base_url": settings.slack_api_url, "timeout": CALL_WITHIN_S}
    slack = RateLimitedClient(token=token, **options)
    patient_slack = RateLimitedClient(token=token, patience_s=PATIENCE_S, connections=slack.connections, **options)
    team, bot_user, workspace_url = _who_am_i(patient_slack, wait)
    if (owner := store.belongs_to(team)) != team:
        raise StartRefused(
            f"the database belongs to the workspace {owner}, and SLACK_BOT_TOKEN is of {team}: labels and versions are "
            "shared by all that is in one database, so give each workspace its own (BETO_DATABASE_URL, or BETO_HOME)"
        )
    if complaints := store.labels.emoji_complaints(settings.sign_emoji):
        raise StartRefused("\n".join(complaints))
    return OutboxContext(
        settings=settings,
        store=store,
        texts=load_texts(settings.language, settings.sign_emoji),
        locks=locks,
        limiter=limiter,
        slack=slack,
        patient_slack=patient_slack,
        judges=Judges(slack, store.people, settings, team),
        public_channels=PublicChannels(patient_slack),
        names=Names(patient_slack),
        team=team,
        bot_user=bot_user,
        workspace_url=workspace_url,
    )


def _who_am_i(slack: RateLimitedClient, wait: Callable[[float], object]) -> tuple[str, str, str]:
    while True:
        try:
            answer = slack.auth_test()
            return str(answer["team_id"]), str(answer["user_id"]), str(answer["url"])
        except RateLimited as error:
            wait(error.retry_after_s)
        except AmbiguousResult as error:
            log.warning("Slack cannot be reached, trying again: %s", error)
            wait(UNREACHED_S)
        except SlackApiError as error:
            raise StartRefused(f"Slack refuses SLACK_BOT_TOKEN: {refusal(error)}") from error
