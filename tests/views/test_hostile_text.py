"""What people write cannot speak with the bot's voice: no mention of everybody, no button, no message that Slack refuses."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator.blocks import check_message, check_view, elements
from bot.views import blocks, correction_blocks, erasure_blocks, home_blocks, reply_blocks, review_blocks, run_blocks
from bot.views.home_blocks import Workplace
from bot.views.native import classic_form
from bot.views.texts import load_texts
from model.judgements import Gesture, Kind, fold
from model.labels import Label, LabelEvent, seed_taxonomy
from model.schema import Prediction, Progress, Run
from model.store.database import now

ES, SEEDS = load_texts("es"), seed_taxonomy()
HOSTILE = st.one_of(
    st.sampled_from(
        [
            "<!channel>", "<!here|hola>", "<!everyone>", "<!subteam^S123>", "<@U123>", "<https://evil.example|Slack>",
            "```", "\n" * 700, "&lt;!channel&gt;", "&" * 3000, "<" * 40_000, "", " ", "\u202e<!channel>", "{user}",
            "{0.__class__}", "%s", '"}]',
        ]
    ),
    st.text(max_size=80),
)  # fmt: skip
LIVE = re.compile(r"<(?:!|@|#|https?:)")
OURS = re.compile(r"<@U0[A-Z]+>")


def harmless(shown: Any) -> None:
    """No text of Slack's mrkdwn in it mentions or links anything but those who judged."""
    if isinstance(shown, dict):
        if shown.get("type") == "mrkdwn":
            assert not LIVE.search(OURS.sub("", shown["text"])), shown["text"][:200]
        for each in shown.values():
            harmless(each)
    elif isinstance(shown, list):
        for each in shown:
            harmless(each)


@given(HOSTILE, HOSTILE)
@settings(max_examples=150, deadline=None)
def test_a_quoted_text_stays_a_quotation(text: str, warning: str) -> None:
    """The modals quote a message, a permalink and what changed; escaped, cut to fit, and never empty."""
    nobody = fold([], names=SEEDS.names, predicted=())
    shown = review_blocks.CardShown(text, "C1", "", "teaches", False, nobody, {}, [])
    card = review_blocks.card(shown, 1, review_blocks.Progress(1, 2), SEEDS, ES, metadata="{}", may_go_back=True)
    forget = erasure_blocks.forget_modal("¿Borrar?", ES, metadata="{}", quoted=text)
    labels = correction_blocks.labels_modal(text, (), None, SEEDS, ES, metadata="{}", warning=blocks.escape(warning))
    assert [each["type"] for each in labels["blocks"]].count("actions") == 1  # the guide
    for view in (labels, card, forget):
        quotes = [each for each in view["blocks"] if each["type"] == "rich_text"]
        assert [each["elements"][0]["type"] for each in quotes] == ["rich_text_quote"] * (1 if text or view is not forget else 0)
        for form in (view["blocks"], classic_form(view["blocks"])):
            harmless([each for each in form if view is not card or each["type"] != "context"])  # which says where it is
            check_view({**view, "blocks": form}, "modal")


@given(HOSTILE, HOSTILE, HOSTILE)
@settings(max_examples=150, deadline=None)
def test_names_of_labels_and_networks_are_only_names(title: str, description: str, base: str) -> None:
    """Labels come from people, and the name of a network from a folder that somebody copied here."""
    label = Label(name="hostil", title=title or "x", title_en="x", emoji="fire_engine", description=description)
    taxonomy = SEEDS.evolve(LabelEvent(kind="add", name="hostil", label=label, at=1, by="U0ANA"))
    scores = dict.fromkeys(taxonomy.names, 0.6)
    prediction = Prediction(version=1, base=base, scores=scores, labels=("hostil", "cajero"))
    said = [
        Gesture(user=f"U0{who}", handle=who, at=at, kind=Kind.SET, labels=("hostil",) * at)
        for at, who in enumerate(("ANA", "LUIS"))
    ]
    for gestures in ([], said[1:], said):
        state = fold(gestures, names=taxonomy.names, predicted=prediction.labels)
        text, shown = reply_blocks.reply(prediction, state, taxonomy, ES)
        harmless([{"type": "mrkdwn", "text": reply_blocks.dispute("hostil", state.labels["hostil"], taxonomy, ES)}, *shown])
        taps = {f"{reply_blocks.NOT_ACTION}{n}" for n in range(2)} if not gestures else set()
        for form, ids in (
            (shown, {reply_blocks.FEEDBACK_ACTION, reply_blocks.WHY_ACTION, *taps}),
            (classic_form(shown), {reply_blocks.CORRECT_ACTION, reply_blocks.EDIT_ACTION, reply_blocks.WHY_ACTION}),
        ):
            check_message(form)
            assert ids >= {element["action_id"] for _, element in elements(form)} >= ids - taps
        assert text
    home = home_blocks.home(Workplace(), taxonomy, ES, "beto")
    harmless(home["blocks"])
    check_view(home, "home")


@given(HOSTILE, HOSTILE)
@settings(max_examples=100, deadline=None)
def test_an_error_in_a_runs_message_is_only_an_error(error: str, note: str) -> None:
    """An error may quote anything: a text, a path, a library's idea of a joke."""
    common: dict[str, Any] = {
        "id": 1, "requested_by": "U0ANA", "dry": False, "version": None, "report": None, "beat_at": now(),
        "requested_at": now(), "attempts": 1, "cancelled_by": None, "channel": "C", "status_ts": "1",
        "decided": None,
    }  # fmt: skip
    progress = Progress(stage="training", step=1, steps=2, note=note)
    for run in (
        Run(status="failed", error=error, progress=None, **common),
        Run(status="running", error=None, progress=progress, **common),
    ):
        _, shown = run_blocks.status(run, ES)
        harmless(shown)
        check_message(shown)


def test_no_button_says_what_it_is_about() -> None:
    """What stands in a button could be repeated by another app's: ours are looked up by the message that they stand on."""
    assert set(blocks.button(reply_blocks.CORRECT_ACTION, "Correcto")) == {"type", "action_id", "text"}
