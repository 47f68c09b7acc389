"""What comes next for a row, whatever is known of it: rules that hold for every combination, without any Slack."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from bot.outbox.states import (
    LONGEST_COUNTDOWN_S,
    MOST_UPLOADS,
    NOT_THERE,
    PERMANENT_ERRORS,
    STATUS_EVERY_S,
    TRANSITIONS,
    AmbiguousResult,
    AnswerPrivately,
    ClaimTooOld,
    Delete,
    Done,
    Facts,
    Found,
    Look,
    Outcome,
    Post,
    RateLimited,
    Refused,
    Settle,
    Subject,
    TakeTurn,
    Unprepared,
    Update,
    Wait,
    Write,
    after,
    diagram,
    next_action,
    steps,
)
from model.store.outbox_row import SETTLED, Kind, State

STAMPS = st.sampled_from(["1.1", "1.2", "1.3"])
ERRORS = st.sampled_from(
    [*sorted(PERMANENT_ERRORS), *sorted(NOT_THERE), "internal_error", "invalid_auth", "token_revoked", "account_inactive"]
)
KINDS = st.sampled_from(Kind)
FACTS = st.builds(
    Facts,
    kind=KINDS,
    ts=st.none() | STAMPS,
    in_doubt=st.booleans(),
    found=st.none() | st.lists(STAMPS, unique=True, max_size=3).map(lambda found: tuple(sorted(found))),
    subject=st.sampled_from(Subject),
    private=st.booleans(),
    early_s=st.sampled_from([0.0, 0.4]),
    waits_s=st.sampled_from([0.0, 3.0]),
    refused_with=st.sampled_from(["", "is_archived"]),
    in_order=st.booleans(),
    behind_others=st.booleans(),
    uploads=st.integers(0, 3),
    is_last=st.booleans(),
)
NOT_DONE = st.one_of(
    st.builds(RateLimited, st.just("chat.postMessage"), st.sampled_from([0.5, 30.0, 900.0])),
    st.builds(AmbiguousResult, st.just("a call"), st.just("reset"), late=st.booleans()),
    st.builds(Refused, ERRORS),
)


@st.composite
def outcomes(draw: st.DrawFn, action: object) -> Outcome:
    """What a call may come to."""
    possible: list[st.SearchStrategy[Outcome]] = [NOT_DONE]
    if isinstance(action, Look):
        possible.append(st.builds(Found, st.lists(STAMPS, unique=True, max_size=3).map(lambda found: tuple(sorted(found)))))
    elif isinstance(action, Post):
        possible += [st.builds(Done, STAMPS), st.builds(Done, STAMPS, misplaced=st.just(True)), st.just(ClaimTooOld())]
    elif isinstance(action, Update | Delete | AnswerPrivately):
        possible.append(st.just(Done()))
    if isinstance(action, Post | Update | AnswerPrivately):
        possible.append(st.builds(Unprepared, NOT_DONE))
    return draw(st.one_of(possible))


def finish(data: st.DataObject, facts: Facts) -> tuple[list[object], Write]:
    """All calls of the work on one claim, with outcomes as they come."""
    todo, calls = steps(facts), []
    try:
        call = next(todo)
        while True:
            calls.append(call)
            call = todo.send(data.draw(outcomes(call)))
    except StopIteration as end:
        return calls, end.value


@given(FACTS)
def test_nothing_is_posted_where_a_post_is_known(facts: Facts) -> None:
    """Two replies to one message are the one thing that must not happen."""
    if facts.ts is not None or facts.found:
        assert not isinstance(next_action(facts), Post)


@given(FACTS)
def test_nothing_is_posted_in_doubt_before_somebody_has_looked(facts: Facts) -> None:
    """A dead process may have posted it, and nobody recorded that."""
    if facts.in_doubt and facts.found is None and not facts.private:
        assert isinstance(next_action(facts), Look | Wait)


@given(FACTS, st.data())
def test_what_is_gone_gets_no_post(facts: Facts, data: st.DataObject) -> None:
    """A reply to a message that was deleted tells everybody what its author took back."""
    calls, _ = finish(data, Facts(**vars(facts) | {"subject": Subject.GONE}))
    assert not any(isinstance(call, Post | Update | AnswerPrivately) for call in calls)


@given(FACTS, st.data())
def test_of_all_posts_that_were_found_one_is_left(facts: Facts, data: st.DataObject) -> None:
    """Where two stand there, whoever finds them settles it before anything else."""
    calls, _ = finish(data, facts)
    seen = next((index for index, call in enumerate(calls) if isinstance(call, Update | Post)), len(calls))
    found = set(facts.found or ()) - {facts.ts}
    deleted = {call.ts for call in calls[:seen] if isinstance(call, Delete)}
    if seen < len(calls):
        kept = found - deleted
        assert len(kept) == (facts.ts is None and bool(found))


@given(FACTS, st.data())
def test_whatever_is_not_settled_comes_back(facts: Facts, data: st.DataObject) -> None:
    """A row without a time to be looked at again is a reply that never comes."""
    _, write = finish(data, facts)
    if write.state not in SETTLED and not write.keep_claim:
        assert write.retry_in_s is not None
        assert write.retry_in_s > 0
    if not write.recorded and not write.keep_claim:
        assert write.retry_in_s is not None


@given(FACTS, st.data())
def test_a_permanent_refusal_is_the_end_of_it(facts: Facts, data: st.DataObject) -> None:
    """Slack counts calls that it will never take against those that it would."""
    action = next_action(facts)
    if not isinstance(action, Post | Update):
        return
    for error in PERMANENT_ERRORS:
        write = after(facts, action, Refused(error))
        assert isinstance(write, Write)
        assert (write.state, write.retry_in_s, write.reason) == (State.REFUSED, None, error)


@given(FACTS, st.sampled_from(["invalid_auth", "token_revoked", "account_inactive", "not_authed"]))
def test_token_trouble_loses_nothing(facts: Facts, error: str) -> None:
    """Somebody renews the token; what waited meanwhile must still be said."""
    action = next_action(facts)
    if isinstance(action, Look | Post | Update | Delete) and facts.kind is not Kind.DIGEST:
        write = after(facts, action, Refused(error))
        assert isinstance(write, Write)
        assert (write.state, write.recorded) == (State.DUE, False)


@given(FACTS, st.sampled_from(sorted(NOT_THERE)))
def test_what_is_refused_where_the_bot_is_not_is_tried_again_rarely(facts: Facts, error: str) -> None:
    """Somebody invites the bot an hour later; until then an answer to each of a thousand messages is a thousand calls."""
    action = next_action(facts)
    if isinstance(action, Look | Post | Update):
        write = after(facts, action, Refused(error))
        assert isinstance(write, Write)
        assert write.state is State.REFUSED
        assert write.retry_in_s is not None
        assert write.retry_in_s >= 3600


@given(st.builds(Facts, kind=KINDS, in_order=st.booleans(), is_last=st.booleans(), tries=st.integers(0, 9)), st.booleans())
def test_a_call_whose_answer_was_lost_leaves_a_doubt(facts: Facts, late: bool) -> None:
    """The next one must look: Slack may have carried it out."""
    assert next_action(facts) == Post()
    write = after(facts, Post(), AmbiguousResult("chat.postMessage", "reset", late=late))
    assert isinstance(write, Write)
    # One that may yet be carried out leaves the claim to run out: before that nobody may look.
    assert (write.state, write.recorded, write.in_doubt, write.keep_claim) == (State.DUE, False, not late, late)


@given(FACTS, st.data())
def test_a_doubt_outlives_whatever_else_goes_wrong(facts: Facts, data: st.DataObject) -> None:
    """Two faults in a row must not add up to two posts."""
    if facts.private:
        return
    _, write = finish(data, Facts(**vars(facts) | {"in_doubt": True, "found": None}))
    if not write.recorded and not write.keep_claim:
        assert write.in_doubt


@given(st.integers(MOST_UPLOADS, 9), st.booleans(), st.data())
def test_a_picture_is_uploaded_twice_at_most(uploads: int, in_doubt: bool, data: st.DataObject) -> None:
    """The words of the report wait for it, and matter more."""
    calls, _ = finish(data, Facts(Kind.PICTURE, uploads=uploads, in_doubt=in_doubt))
    assert not any(isinstance(call, Post) for call in calls)


def test_a_first_reply_waits_behind_those_before_it() -> None:
    """What people wrote first is answered first, where not all can be answered at once."""
    facts = Facts(Kind.REPLY, in_order=True, behind_others=True)
    assert next_action(facts) == TakeTurn()
    assert next_action(Facts(Kind.REPLY, ts="1.1", in_order=True, behind_others=True)) == Update("1.1")
    limited = after(Facts(Kind.REPLY, in_order=True), Post(), RateLimited("chat.postMessage", 2.0))
    assert isinstance(limited, Write)
    assert (limited.state, limited.turn_s, limited.come_back_s) == (State.WAITING_TURN, 2.0, None)


def test_a_text_that_expired_before_it_was_predicted_is_settled() -> None:
    """A reaction on it would be tried again for ever."""
    assert next_action(Facts(Kind.REPLY, subject=Subject.UNKNOWN)) == Settle(State.GONE)
    assert next_action(Facts(Kind.REPLY, ts="1.1", subject=Subject.UNKNOWN)) == Settle(State.SHOWN)


def test_the_diagram_names_every_state() -> None:
    """docs/architecture.md shows what this prints."""
    drawn = {state for before, then, _ in TRANSITIONS for state in (before, then)}
    assert drawn == set(State)
    printed = subprocess.run([sys.executable, "-m", "bot.outbox.states"], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == diagram()


def test_of_two_posts_the_oldest_stays_and_the_other_goes_first() -> None:
    """Whichever people have answered by then is likelier the older."""
    assert next_action(Facts(Kind.REPLY, in_doubt=True, found=("1.1", "1.2"))) == Delete("1.2")
    assert next_action(Facts(Kind.REPLY, in_doubt=True, found=("1.1",))) == Update("1.1")
    assert next_action(Facts(Kind.REPLY, ts="1.2", in_doubt=True, found=("1.1", "1.2"))) == Delete("1.1")


def test_what_was_rendered_a_moment_ago_waits() -> None:
    """Fifty people who react within a second are one rendering, not fifty."""
    assert next_action(Facts(Kind.REPLY, ts="1.1", early_s=0.4)) == Wait(0.4)


def test_what_is_not_the_last_word_is_rendered_again_soon() -> None:
    """A training's status goes on; and what is far away is left to the sweep, since no process holds a task for so long."""
    going_on = after(Facts(Kind.STATUS, is_last=False), Post(), Done("1.1"))
    assert isinstance(going_on, Write)
    assert (going_on.state, going_on.recorded, going_on.come_back_s) == (State.DUE, True, STATUS_EVERY_S)
    for seconds, comes_back_s in ((LONGEST_COUNTDOWN_S, LONGEST_COUNTDOWN_S), (LONGEST_COUNTDOWN_S + 1, None)):
        limited = after(Facts(Kind.REPLY), Post(), RateLimited("chat.postMessage", seconds))
        assert isinstance(limited, Write)
        assert limited.come_back_s == comes_back_s


def test_a_reply_that_slack_put_into_the_channel_is_looked_for_until_it_is_gone() -> None:
    """Its message was deleted a moment ago: nobody else will ever take it away."""
    misplaced = after(Facts(Kind.REPLY), Post(), Done("1.1", misplaced=True))
    assert isinstance(misplaced, Facts)
    assert next_action(misplaced) == Delete("1.1")
    refused = after(misplaced, Delete("1.1"), Refused("internal_error"))
    assert isinstance(refused, Write)
    assert refused.in_doubt


def test_what_follows_a_row_that_was_refused_is_refused_for_the_same_reason() -> None:
    """A report has no thread where its status message was never taken."""
    assert next_action(Facts(Kind.REPORT, refused_with="is_archived")) == Settle(State.REFUSED, "is_archived")


def test_a_picture_that_stands_there_is_done() -> None:
    """Slack cannot render an upload anew."""
    assert next_action(Facts(Kind.PICTURE, ts="1.1")) == Settle(State.SHOWN)


def test_whoever_looked_and_found_nothing_posts_at_once() -> None:
    """Back in its line it would be looked for again, for as long as the channel is busy."""
    assert next_action(Facts(Kind.REPLY, in_doubt=True, found=(), in_order=True, behind_others=True)) == Post()


def test_a_channel_that_the_bot_is_not_in_is_tried_ever_more_seldom() -> None:
    """A busy channel that the bot has left has thousands of rows, and each try is a call."""
    pauses = []
    for tries in (0, 1, 3, 5, 50):
        write = after(Facts(Kind.REPLY, tries=tries), Post(), Refused("not_in_channel"))
        assert isinstance(write, Write)
        pauses.append(write.retry_in_s)
    assert pauses == [3600, 7200, 28_800, 115_200, 115_200]
