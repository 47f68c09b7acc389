"""The only code that calls Slack for rows of the outbox: claims one, carries out its steps (`states`), records the outcome."""

import logging
import time
import uuid

from slack_sdk.errors import SlackApiError

from bot import queues
from bot.metrics import DELIVERIES
from bot.outbox.announcements import AnnouncementWork
from bot.outbox.backfills import BackfillWork
from bot.outbox.context import OutboxContext
from bot.outbox.digests import DigestWork
from bot.outbox.doubts import DoubtWork
from bot.outbox.emoji import EmojiWork
from bot.outbox.explanations import ExplanationWork
from bot.outbox.questions import QuestionWork
from bot.outbox.replies import ReplyWork
from bot.outbox.reports import PictureWork, ReportWork, StatusWork
from bot.outbox.routing import RouteWork, WebhookWork
from bot.outbox.states import (
    AmbiguousResult,
    AnswerPrivately,
    Call,
    ClaimTooOld,
    Delete,
    Done,
    Found,
    Look,
    Outcome,
    Post,
    RateLimited,
    Unprepared,
    Update,
    Write,
    steps,
)
from bot.outbox.steps import StepWork
from bot.outbox.summaries import SummaryWork
from bot.outbox.thanks import ThanksWork
from bot.outbox.work import Content, Work, outcome_of
from model.store.database import now
from model.store.outbox_row import Claim, Kind, ids_in
from worker.logs import about

log = logging.getLogger(__name__)

# Longer than the calls for one row take; a claim that lives longer belongs to a dead process.
LEASE_S = 60.0
# A channel's line whose next task is lost with Redis or its process is begun anew by whoever comes after so long.
LINE_LOST_S = 10.0
# Messages that one post answers; each takes a line of some 150 characters, and Slack's blocks have 3,000.
DIGEST_OF = 40

WORK: dict[Kind, type[Work]] = {
    Kind.REPLY: ReplyWork,
    Kind.QUESTION: QuestionWork,
    Kind.DOUBT: DoubtWork,
    Kind.DIGEST: DigestWork,
    Kind.STATUS: StatusWork,
    Kind.PICTURE: PictureWork,
    Kind.REPORT: ReportWork,
    Kind.ANNOUNCEMENT: AnnouncementWork,
    Kind.EMOJI: EmojiWork,
    Kind.ROUTE: RouteWork,
    Kind.WEBHOOK: WebhookWork,
    Kind.EXPLANATION: ExplanationWork,
    Kind.SUMMARY: SummaryWork,
    Kind.BACKFILL: BackfillWork,
    Kind.STEP: StepWork,
    Kind.THANKS: ThanksWork,
}


def deliver(context: OutboxContext, key: str, *, in_turn: bool = False) -> None:
    """Bring what Slack shows of this row up to date, or see to it that somebody comes when that is possible.

    Nobody waits for that here. `in_turn`: it is its turn in its channel's line.
    """
    with about(**ids_in(key)):
        _deliver(context, key, in_turn=in_turn)


def _deliver(context: OutboxContext, key: str, *, in_turn: bool) -> None:
    owner, outbox = uuid.uuid4().hex, context.store.outbox
    while (claim := outbox.claim(key, owner, LEASE_S)) is not None:
        if claim.prediction is not None:
            # A worker may have learnt of a label a moment before this process looks at the labels again.
            context.store.labels.catch_up(claim.prediction.learning)
        work = WORK[claim.row.kind](context, claim)
        work.prepare()
        write = _carry_out(work, in_turn=in_turn)
        DELIVERIES.labels(claim.row.kind, write.state).inc()
        if write.reason is not None:
            log.warning("%s is refused: %s", key, write.reason)
        if write.keep_claim:
            return
        if not write.recorded:
            assert write.retry_in_s is not None  # what is given back is taken up again
            outbox.release(key, owner, write.retry_in_s, state=write.state, in_doubt=write.in_doubt, reason=write.reason)
            _come_back(context, claim, write)
            return
        # Where this raises, the claim is left to expire: the next one looks first whether the post has arrived.
        recorded = outbox.record(
            key,
            owner,
            wanted=claim.row.wanted,
            state=write.state,
            ts=write.ts,
            before=claim.row.ts,
            questions=work.questions,
            standing=work.standing,
            retry_in_s=write.retry_in_s,
            reason=write.reason,
        )
        if recorded == "surplus":
            assert write.ts is not None  # it is the surplus
            outcome = _outcome(work, Delete(write.ts), time.monotonic())
            if not isinstance(outcome, Done):  # the next claim is in doubt, and looks at the thread
                log.warning("%s has two posts: %s", key, outcome)
                return
            outbox.release(key, owner, 0.0)
            continue
        log.info("%s is %s", claim.row.kind, write.state)
        work.follow(write)
        if recorded == "recorded":
            _come_back(context, claim, write)
            return


def serve_line(context: OutboxContext, channel: str) -> None:
    """Post the next of those that wait in this channel, as many as a second allows, or one post for all of them together."""
    context.locks.unlock(_line_lock(channel))
    digest_after, newest_first = context.settings.digest_after, context.settings.newest_first
    outbox = context.store.outbox
    waiting = outbox.line(channel, max(digest_after + 1, DIGEST_OF), newest_first=newest_first)
    if digest_after and len(waiting) > digest_after and _posts_now(context, channel):
        digest, alone = outbox.open_digest(channel, DIGEST_OF, newest_first=newest_first)
        if digest is not None:
            deliver(context, digest)
        for key in alone:
            context.publish(queues.deliver(key, in_turn=True))
    else:
        for key in waiting[: context.limiter.posts_a_second]:
            if context.locks.is_locked(_line_lock(channel)):  # one had to wait, and so have the others
                return
            deliver(context, key, in_turn=True)
    if len(waiting) > 1:
        _line_up(context, channel, context.limiter.post_every_s)


def _posts_now(context: OutboxContext, channel: str) -> bool:
    """Return whether replies are posted in this channel at this hour; else each of those that wait finds out by itself."""
    showing = context.store.channels.showing(channel)
    return showing.display == "thread" and (showing.rest is None or showing.rest.wait_s(now()) == 0)


def _carry_out(work: Work, *, in_turn: bool) -> Write:
    began = time.monotonic()
    todo = steps(work.facts(in_turn=in_turn))
    try:
        call = next(todo)
        while True:
            call = todo.send(_outcome(work, call, began))
    except StopIteration as end:
        write: Write = end.value
        return write


def _outcome(work: Work, call: Call, began: float) -> Outcome:
    try:
        match call:
            case Look():
                return Found(tuple(work.find()))
            case Post():
                content = _prepared(work)
                if time.monotonic() - began > LEASE_S / 2:
                    return ClaimTooOld()
                return work.post(content)
            case Update(ts):
                return work.update(ts, _prepared(work))
            case Delete(ts):
                return work.delete(ts)
            case AnswerPrivately():
                return work.answer(_prepared(work))
    except Unprepared as unprepared:
        return unprepared
    except (SlackApiError, RateLimited, AmbiguousResult) as error:
        outcome = outcome_of(error)
        if isinstance(outcome, AmbiguousResult):
            log.warning("%s: %s", work.row.key, outcome)
        return outcome


def _prepared(work: Work) -> Content:
    try:
        return work.render()
    except (SlackApiError, RateLimited, AmbiguousResult) as error:
        raise Unprepared(outcome_of(error)) from error


def _come_back(context: OutboxContext, claim: Claim, write: Write) -> None:
    """Send the row's one task that comes later, or its channel's."""
    if write.turn_s is not None:
        _line_up(context, claim.row.channel, write.turn_s)
    elif write.come_back_s is not None and context.locks.lock(f"deliver/{claim.row.key}", write.come_back_s):
        # Once, however many ask for it.
        context.publish(queues.deliver(claim.row.key), countdown_s=write.come_back_s)


def _line_up(context: OutboxContext, channel: str, seconds: float) -> None:
    """Serve the channel's line in so many seconds."""
    if context.locks.lock(_line_lock(channel), seconds + LINE_LOST_S):
        context.publish(queues.serve_line(channel), countdown_s=seconds)


def _line_lock(channel: str) -> str:
    return f"line/{channel}"
