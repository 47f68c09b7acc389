"""The nouns that travel between processes and into files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Split = Literal["train", "dev", "test"]
# What a team wants of a label: that no message with it is missed, that it is right wherever it is given, or neither more.
Preference = Literal["balance", "recall", "precision"]

# On fewer texts a share is mostly chance.
_ENOUGH_CARRYING = 10
# Cards, reports and progress that 0.1.0 wrote, in files and in the database, have these names for the same things.
_FORMER_STAGES = {"judging": "evaluating"}
_FORMER_REASONS = {"floor_ahead": "baseline_ahead", "worn": "test_set_reused"}


def _formerly(name: str, former: str) -> AliasChoices:
    return AliasChoices(name, former)


class Frozen(BaseModel):
    """A value: compared by content, never changed after it is made, unknown fields refused.

    An error says what is wrong, never what stood there: it may be somebody's words, or a secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def plain_text(text: str) -> str:
    """Return `text` as a database can keep it: without NULs (PostgreSQL takes none) and without halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Source(StrEnum):
    """The way a message reached us, which decides where its answer goes."""

    CHANNEL = "channel"  # written in a channel that we watch
    MENTION = "mention"  # mentions the bot
    DIRECT = "direct"  # a direct message to the bot
    SHORTCUT = "shortcut"  # somebody chose "Clasificar" on it
    COMMAND = "command"  # `/beto clasifica TEXTO`: answered in private, there is no message


class Message(Frozen):
    """A text that somebody wants labelled; (channel, ts) is its natural key."""

    channel: str
    ts: str
    user: str
    text: str  # as Slack sent it, escaped
    source: Source
    thread_ts: str | None = None
    blind: bool = False  # its prediction is hidden until somebody judged it
    response_url: str | None = Field(default=None, repr=False)  # only for Source.COMMAND; a secret for 30 minutes


class Prediction(Frozen):
    """One version's answer to one text.

    `scores` has every label that the version knows, as a calibrated probability in 0..1.
    `labels` are those at or above the version's thresholds, strongest first.
    `truncated` is true when the text was longer than the network can read. `corrections` judged messages were known beside
    those that the version learnt from. `known_from` ("channel:ts") is the judged message whose labels it repeats. `learning`
    labels are known by what is written of them alone, or little more.
    """

    version: int
    base: str  # "mini" or the checkpoint's name: what answered is always called by its name
    scores: dict[str, Probability]
    labels: tuple[str, ...]
    truncated: bool = False
    corrections: int = 0
    known_from: str | None = None
    learning: tuple[str, ...] = ()


Span = tuple[int, int]  # words of a text, from the first to before the second


class Carried(Frozen):
    """A label, its probability, whether it is given, and which words of a text speak for it and against it, heaviest first.

    What people said of another message (`Explanation.known_from`) has no part in it.
    """

    label: str
    score: Probability
    given: bool
    words: tuple[Span, ...]
    against: tuple[Span, ...]


class Explanation(Frozen):
    """Why a version gives a text its labels; a span counts the words of the normalised text, and no word is kept.

    `labels` are all that the version knows. `near` are messages that people judged, by their ids, the most similar first.
    `in_parts`: the text was taken in pieces of several words, since it has too many of them. The rest is as in a prediction.
    """

    version: int
    base: str
    corrections: int
    revision: int
    labels: tuple[Carried, ...]
    known_from: str | None = None
    near: tuple[int, ...] = ()
    in_parts: bool = False
    truncated: bool = False


class Example(Frozen):
    """A labelled text: `labels` apply, `unknown` were never judged, all others do not apply.

    `id` of a message from Slack is "channel:ts"; `by` are those who judged it.
    """

    text: str
    labels: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    id: str | None = None
    by: tuple[str, ...] = ()


class Progress(Frozen):
    """The progress of a training: `step` of `steps`, `seconds_left` estimated from the pace so far.

    While it prepares, steps are of the word models that are fitted, and then messages read, where the layers that do not learn
    go through them once.

    A training that is resumed goes on with the step after its checkpoint. One that stops learning ends before `steps`.
    """

    stage: Annotated[
        Literal["preparing", "training", "evaluating", "done"], BeforeValidator(lambda stage: _FORMER_STAGES.get(stage, stage))
    ]
    part: Literal["words", "reading"] = "words"  # of the preparation
    step: int = 0
    steps: int = 0
    epoch: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    note: str | None = None  # what is unusual, such as "batch halved to 8"

    @property
    def share(self) -> float:
        """Return how much of the whole is done, 0..1: what comes before it learns takes about a fifth of a first training."""
        done = min(self.step / self.steps, 1.0) if self.steps else 0.0
        if self.stage == "preparing":
            return 0.05 * done if self.part == "words" else 0.05 + 0.15 * done
        return 1.0 if self.stage == "done" else 0.2 + 0.75 * done


class LabelScores(Frozen):
    """The scores of one label, which `support` texts carry."""

    precision: Probability
    recall: Probability
    f1: Probability
    support: int


class Profile(Frozen):
    """What a version's answers to `texts` look like: by label, how many are given it; how many are given none.

    `unsure`: how many have no label of which the version is sure.
    """

    texts: int
    given: dict[str, int]
    unlabelled: int
    unsure: int


class Scores(Frozen):
    """Multi-label scores over `texts` texts, each 0..1 (samples-averaged Jaccard, as scikit-learn's `jaccard_score`).

    `ece` is the expected calibration error of the probabilities, 0 at best; None where only labels were scored. `profile` is
    what the answers themselves look like, right or wrong; None likewise, and of versions before 0.2.
    """

    texts: int
    jaccard: Probability
    micro_f1: Probability
    macro_f1: Probability
    exact_match: Probability
    per_label: dict[str, LabelScores]
    ece: Probability | None = None
    profile: Profile | None = None


class Band(Frozen):
    """Labels that are shown with a probability from `low` to `high`: `right` of the `shown` apply."""

    low: Probability
    high: Probability
    shown: int
    right: int


class TriedForm(Frozen):
    """A version with its network in the number format that a CPU would serve, beside the exact one, on the same dev texts.

    `change`: the largest difference of a probability. `flipped`: of `decisions` (texts x labels), those that come out
    otherwise at the version's thresholds.
    """

    form: Literal["int8", "fp32"]
    texts: int
    change: Probability
    flipped: int
    decisions: int
    micro_f1_exact: Probability
    micro_f1: Probability

    @property
    def sound(self) -> bool:
        """Return whether it may serve: at most one decision in a hundred differs, and at most 0.5 points of F1 are lost."""
        return self.flipped <= 0.01 * self.decisions and self.micro_f1 >= self.micro_f1_exact - 0.005


class Mixture(Frozen):
    """How a version's encoder and lexical model are weighed on their logits; the sum with `shift` is calibrated.

    The weight is 0 of the one that does not help.
    """

    encoder: float = Field(ge=0)
    lexical: float = Field(ge=0)
    shift: float


class Cut(Frozen):
    """A threshold of a label, and what it gives on dev: `found` of the texts that carry it, among `given` that are given it.

    Each text is counted at a threshold that was chosen on other texts.
    """

    threshold: Probability
    found: int
    given: int


class Cuts(Frozen):
    """The thresholds of one label by preference; `carrying` dev texts carry it."""

    carrying: int
    balance: Cut
    recall: Cut
    precision: Cut

    def by(self, preference: Preference) -> Cut:
        """Return the one for this preference."""
        return {"balance": self.balance, "recall": self.recall, "precision": self.precision}[preference]

    def gives(self, preference: Preference) -> tuple[int, int] | None:
        """Return how many of 100 texts that carry the label are given it, and how many of 100 that are given it carry it.

        None where there are too few texts to tell.
        """
        cut = self.by(preference)
        if self.carrying < _ENOUGH_CARRYING or not cut.given:
            return None
        return round(100 * cut.found / self.carrying), round(100 * cut.found / cut.given)


# In a version's settings: the labels, by commas, that no message carried which it learnt from.
UNTAUGHT = "untaught"


class Card(Frozen):
    """Everything needed to trust, repeat or refuse a version; saved beside its weights as `card.json`."""

    version: int = 0  # 0 until the registry numbers it
    base: str
    origin: str = ""  # who made the base and under which licence, where we know it
    labels: tuple[str, ...]
    thresholds: dict[str, Probability]
    seed: int
    settings: dict[str, float | int | str | bool]
    data_sha256: str
    texts: dict[Split, int]
    scores: dict[Split, Scores]  # of the whole, as it serves
    encoder_scores: dict[Split, Scores] = {}  # of the encoder alone, at its own threshold from dev
    # Of TF-IDF + logistic regression on the same data.
    baseline: dict[Split, Scores] = Field(validation_alias=_formerly("baseline", "floor"))
    svc: dict[Split, Scores] = {}  # of TF-IDF + a linear SVC, likewise: on much data the stronger yardstick
    seconds: float
    created_at: str  # ISO 8601, UTC
    code_version: str
    parent: int | None = None
    forms: tuple[TriedForm, ...] = ()  # the last one serves where it is sound; where none is, torch does
    mixture: Mixture | None = None  # None: the encoder alone serves
    cuts: dict[str, Cuts] = {}  # by label; {}: a version of before, whose thresholds cannot be moved
    # What was preferred when it was trained, where that is no balance. Scores are at the thresholds of a balance.
    preferences: dict[str, Preference] = {}

    def thresholds_for(self, preferences: Mapping[str, Preference]) -> dict[str, float]:
        """Return each label's threshold for these preferences, a balance where none is named."""
        if not self.cuts:
            return dict(self.thresholds)
        return {name: self.cuts[name].by(preferences.get(name, "balance")).threshold for name in self.labels}

    @property
    def untaught(self) -> tuple[str, ...]:
        """Return the labels that no message carried which it learnt from."""
        return tuple(name for name in str(self.settings.get(UNTAUGHT, "")).split(",") if name)

    @property
    def describes(self) -> bool:
        """Return whether labels that it was not taught can speak by what is written of them: versions of before cannot."""
        return UNTAUGHT in self.settings and self.base != "mini"


class Interval(Frozen):
    """A number between two limits that hold it with 95 % confidence."""

    value: float
    low: float
    high: float


class PreferredChange(Frozen):
    """What a label gives on test at the threshold at which it serves, where recall or precision is preferred of it.

    `found` of the texts that carry it, among `given` that are given it; before: in the live version at its own such threshold,
    None where that cannot be moved.
    """

    preference: Preference
    found: int
    given: int
    found_before: int | None
    given_before: int | None


class LabelChange(Frozen):
    """A label's F1 in the live version (None: it did not know the label, or none was live) and in the candidate.

    `support` test texts carry it. `better` and `worse` are the test texts on which only the candidate, and only the live
    version, decides rightly about it; `chance` is how likely at least so one-sided a change would be if both were equally
    good. None: not compared, or a report of 0.1.0.
    """

    before: float | None
    after: float
    support: int
    better: int | None = None
    worse: int | None = None
    chance: Probability | None = None
    preferred: PreferredChange | None = None  # None: nothing but a balance is preferred


class Comparison(Frozen):
    """A candidate beside the live version and the baseline on the same test texts; F1 and errors are 0..1.

    `right` and `right_live` are the texts on which it, and the live version, decide rightly about every label.
    """

    texts: int
    right: int | None = None  # None: a report of 0.1.0
    right_live: int | None = None
    micro: Interval
    macro: Interval
    micro_gain: Interval | None  # over the live version, paired
    macro_gain: Interval | None
    micro_baseline: float = Field(validation_alias=_formerly("micro_baseline", "micro_floor"))
    macro_baseline: float = Field(validation_alias=_formerly("macro_baseline", "macro_floor"))
    ece: float  # expected calibration error
    ece_live: float | None
    per_label: dict[str, LabelChange]


class Reason(Frozen):
    """One reason of a verdict, for it (`good`) or against it; the locale files have its sentence."""

    code: Literal[
        "first", "live_broken", "untested", "wins", "gains", "equal", "loses", "label_falls", "recall_falls", "precision_falls",
        "miscalibrated", "baseline_ahead", "test_set_reused",
    ]  # fmt: skip
    good: bool
    values: dict[str, float | int | str] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_former_names(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("code") in _FORMER_REASONS:
            values = {"baseline" if name == "floor" else name: value for name, value in data.get("values", {}).items()}
            return {**data, "code": _FORMER_REASONS[data["code"]], "values": values}
        return data


class Verdict(Frozen):
    """The decision whether a candidate should go live, and the reasons."""

    promote: bool
    reasons: tuple[Reason, ...]


class Flip(Frozen):
    """A recent message whose labels would change."""

    message_id: int
    before: tuple[str, ...]
    after: tuple[str, ...]


class Blind(Frozen):
    """The live version's score on random messages that people judged before they saw its labels."""

    messages: int
    micro_f1: Probability


class Report(Frozen):
    """The report of a run that made a version."""

    version: int
    live: int | None  # the version that it was compared with; None: there was none that could be loaded
    comparison: Comparison
    verdict: Verdict
    promoted: bool
    texts: dict[Split, int]
    corrections: int  # messages that people judged, in what it was trained and tested on
    absorbed: int = 0  # of these, those which `live` knew as corrections alone, or not at all
    judges: tuple[str, ...]  # who did, most of all first
    flips: tuple[Flip, ...]
    blind: Blind | None = None
    uses: int = 0  # how many earlier candidates were evaluated on these test texts
    notes: tuple[str, ...] = ()
    forms: tuple[TriedForm, ...] = ()  # as in the version's card

    @property
    def undecided(self) -> bool:
        """Return whether there was nothing to compare with, so that people have to decide."""
        return any(reason.code in {"live_broken", "untested"} for reason in self.verdict.reasons)

    @property
    def found_worse(self) -> bool:
        """Return whether it was compared, and not found better."""
        return not (self.verdict.promote or self.undecided)


RunStatus = Literal["queued", "running", "done", "failed", "cancelled"]
# Why a run failed, as far as something follows from it: its base could not be had, its process was killed again and again.
Failure = Literal["base", "killed", "other"]
Decision = Literal["promoted", "kept"]


@dataclass(frozen=True)
class Decided:
    """What somebody decided under a run's report: its version answers, or the one before goes on."""

    decision: Decision
    by: str


@dataclass(frozen=True)
class Standing:
    """How a version stands now: whether it is live, whether it ever was, and whether its folder is still there.

    `by` is who made it live, or, where it was live, who put another in its place; None where a training did. `before` is the
    version to go back to where it is live, None where there is none.
    """

    is_live: bool = False
    was_live: bool = False
    is_kept: bool = True
    by: str | None = None
    before: int | None = None


@dataclass(frozen=True)
class Run:
    """One training run; `beat_at` is its last sign of life."""

    id: int
    requested_by: str
    dry: bool
    status: RunStatus
    progress: Progress | None
    version: int | None
    error: str | None
    report: Report | None
    beat_at: datetime
    requested_at: datetime
    attempts: int
    cancelled_by: str | None
    channel: str | None
    status_ts: str | None  # of its status message, once that stands in the channel
    decided: Decided | None
    failure: Failure | None = None

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status not in {"queued", "running"}
