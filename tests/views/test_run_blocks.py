"""What a training's posts say: what a team lead needs comes first, and every word is true when it is read."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL import Image

from bot.simulator.blocks import check_message, check_view
from bot.views import charts, run_blocks, score_blocks
from bot.views.native import classic_form
from bot.views.texts import load_texts
from model.labels import Label, Taxonomy, seed_taxonomy
from model.schema import (
    Card,
    Comparison,
    Decided,
    Interval,
    LabelChange,
    PreferredChange,
    Progress,
    Reason,
    Report,
    Run,
    Standing,
    Verdict,
)
from model.store.store import Store

ES = load_texts("es")
# A value for each name that a sentence of a reason may hold.
VALUES = {
    "which": "micro", "gain": 0.01, "low": -0.01, "high": 0.03, "label": "fraude", "before": 0.5, "after": 0.4, "texts": 12,
    "baseline": 0.6, "ours": 0.5, "uses": 31,
}  # fmt: skip
LIVE = Standing(is_live=True, was_live=True, before=1)
# label -> (texts that turned right, texts that turned wrong, how likely by chance)
MOVED = {
    "reclamo": (1, 12, 0.003), "cuenta": (9, 1, 0.02), "app": (0, 2, 0.5), "tarjeta": (4, 3, 1.0), "fraude": (2, 2, 1.0),
    "ahorro": (0, 0, 1.0),
}  # fmt: skip


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: a run is a run."""
    return f"sqlite:///{tmp_path / 'beto.db'}"


@pytest.fixture
def run(store: Store) -> Run:
    run_id, _ = store.runs.open("U1")
    run = store.runs.get(run_id)
    assert run is not None
    return run


def report(
    *codes: str,
    promote: bool = True,
    live: int | None = 1,
    right: int | None = 64,
    moved: dict[str, tuple[int, int, float]] | None = None,
) -> Report:
    good = Interval(value=0.7, low=0.6, high=0.8)
    moved = MOVED if moved is None else moved
    per_label = {
        label: LabelChange(before=0.6, after=0.7, support=12, better=better, worse=worse, chance=chance)
        for label, (better, worse, chance) in moved.items()
    } or {"fraude": LabelChange(before=None, after=0.7, support=12)}
    comparison = Comparison(
        texts=96, right=right, right_live=None if live is None or right is None else 61, micro=good, macro=good,
        micro_gain=None, macro_gain=None, micro_baseline=0.6, macro_baseline=0.6, ece=0.02, ece_live=None, per_label=per_label,
    )  # fmt: skip
    reasons = tuple(Reason.model_validate({"code": code, "good": promote, "values": VALUES}) for code in codes)
    return Report(
        version=2, live=live, comparison=comparison, verdict=Verdict(promote=promote, reasons=reasons), promoted=False,
        texts={"train": 10, "dev": 2, "test": 12}, corrections=3, judges=("U1",), flips=(),
    )  # fmt: skip


def rendered(run: Run, made: Report, standing: Standing = LIVE, language: str = "es", **more: Any) -> tuple[str, list[Any]]:
    text, shown = run_blocks.report(run, made, standing, more.get("flips", []), seed_taxonomy(), load_texts(language))
    check_message(shown)
    return text, shown


def words_of(shown: list[Any]) -> str:
    return json.dumps(shown, ensure_ascii=False)


def buttons(shown: list[Any]) -> dict[str, Any]:
    return {element["action_id"]: element for block in shown if block["type"] == "actions" for element in block["elements"]}


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_numbers_of_a_report_are_folded_and_stand_open_in_the_classic_form(run: Run, language: str) -> None:
    """Who reads a channel wants the verdict; who looks for a number finds it where it always was. Untested is no detail."""
    _, shown = rendered(run, report("wins"), language=language)
    (box,) = [block for block in shown if block["type"] == "container"]
    assert (box["is_collapsible"], box["default_collapsed"]) == (True, True)
    assert "macro-F1" in words_of(box["child_blocks"])
    assert "macro-F1" not in words_of([block for block in shown if block is not box])
    classic = classic_form(shown)
    check_message(classic)
    at = shown.index(box)
    assert classic == [*shown[:at], *box["child_blocks"], *shown[at + 1 :]]
    nothing = report("wins")
    nothing = nothing.model_copy(update={"comparison": nothing.comparison.model_copy(update={"texts": 0})})
    assert not [block for block in rendered(run, nothing)[1] if block["type"] == "container"]


@pytest.mark.parametrize(
    ("corrections", "absorbed", "live", "told"),
    [
        (0, 0, 1, "*La versión 2 aprendió de 24 mensajes.* Ninguno lo ha corregido el equipo todavía."),
        (1, 1, 1, "1 de ellos corregido por el equipo (4\xa0%). 1 de esas correcciones es nueva desde la versión 1"),
        (6, 4, 1, "6 de ellos corregidos por el equipo (25\xa0%). 4 de esas correcciones son nuevas desde la versión 1"),
        (24, 0, 1, "24 de ellos corregidos por el equipo (100\xa0%).\\n"),
        (6, 0, None, "6 de ellos corregidos por el equipo (25\xa0%).\\n"),
    ],
)
def test_the_report_tells_the_share_of_corrections(
    run: Run, corrections: int, absorbed: int, live: int | None, told: str
) -> None:
    """Whoever corrected sees what became of it: «versión 1 + 4 correcciones» stood under every reply until now."""
    made = report("gains", live=live).model_copy(update={"corrections": corrections, "absorbed": absorbed})
    assert told in words_of(rendered(run, made)[1])


def test_a_share_is_written_as_the_language_has_it() -> None:
    """And a few among thousands are not none."""
    assert [ES.share(part, 2000) for part in (1, 19, 600, 1999, 2000)] == ["<1\xa0%", "<1\xa0%", "30\xa0%", "99\xa0%", "100\xa0%"]
    assert load_texts("en").share(1, 4) == "25%"


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_reason_has_its_sentence(run: Run, language: str) -> None:
    """A reason without one would be an error in the middle of a report that people wait for."""
    codes = get_args(Reason.model_fields["code"].annotation)
    for promote in (True, False):  # each for the version, each against it
        without, those = (
            words_of(rendered(run, report(*given, promote=promote), language=language)[1]).count("• ") for given in ((), codes)
        )
        assert those - without == len(codes)


@pytest.mark.parametrize(
    ("code", "promote", "live", "verdict", "waits"),
    [
        ("wins", True, 1, "verdict_yes", True),
        ("gains", True, 1, "verdict_likely", True),
        ("first", True, None, "verdict_first", True),
        ("loses", False, 1, "verdict_no", False),
        ("live_broken", False, None, "verdict_ask", True),
    ],
)
def test_the_verdict_says_what_is_known_and_whether_people_have_to_decide(
    run: Run, code: str, promote: bool, live: int | None, verdict: str, waits: bool
) -> None:
    """`Better`, where it may be chance, and `not better`, where nothing could be compared, would be claims."""
    text, shown = rendered(run, report(code, promote=promote, live=live), Standing())
    assert text.splitlines()[0] == ES(f"run.{verdict}", live=live)
    assert (ES("run.waits") in words_of(shown)) == waits
    assert (run_blocks.KEEP_ACTION in buttons(shown)) == waits
    over = run.__class__(**vars(run) | {"status": "done", "report": report(code, promote=promote, live=live)})
    assert ES("run.waiting" if waits else "run.kept", version=2) in run_blocks.status(over, ES)[0]


def test_where_no_label_was_measured_none_is_said_to_stay_as_it_was(run: Run) -> None:
    """A team's own labels, of which no exam message tells anything yet: "no label rises or falls" was said of them."""
    made = report("untested", promote=False)
    nothing = made.comparison.model_copy(update={"texts": 0, "per_label": {}})
    _, shown = rendered(run, made.model_copy(update={"comparison": nothing}), Standing())
    assert ES("run.no_change") not in words_of(shown)


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_report_begins_with_what_a_team_lead_needs(run: Run, language: str) -> None:
    """The labels that fell stood in a picture of 275 pixels and under a button, below micro-F1 and calibration errors."""
    texts = load_texts(language)
    text, shown = rendered(run, report("wins"), language=language, flips=["• a link"])
    told = words_of(shown)
    in_order = [
        texts("run.verdict_yes", live=1),
        texts("run.now_live"),
        texts("run.right_both", tenths=7, right=64, texts=96, live=1, right_live=61),
        texts("run.fell", labels="").strip(),
        texts("run.rose", labels="").strip(),
        texts("run.by_chance", labels="").strip(),
        "a link",
        texts("run.thanks", people="<@U1>"),
        "macro-F1",
    ]
    found = [told.index(json.dumps(each, ensure_ascii=False)[1:-1]) for each in in_order]
    assert found == sorted(found)
    assert all(each in text for each in in_order[:6])  # who hears it read aloud, too
    # What fits above the fold of a phone of 640 pixels: some 24 lines of 45 characters.
    assert sum(1 + len(line) // 45 for line in text.splitlines()[:6]) <= 24


def test_a_label_rose_or_fell_where_chance_does_not_explain_it(run: Run) -> None:
    """`Reclamo fell 5.6 points` may be two messages; what is named must not be noise, and what is not sure is called so."""
    text, _ = rendered(run, report("wins"))
    lines = text.splitlines()
    assert ES("run.fell", labels="Reclamo (+1 −12)") in lines
    assert ES("run.rose", labels="Cuenta (+9 −1)") in lines
    assert ES("run.by_chance", labels="App y web (+0 −2), Tarjeta (+4 −3)") in lines
    assert "Ahorro" not in text  # nothing changed
    text, _ = rendered(run, report("wins", moved={"ahorro": (0, 0, 1.0)}))
    assert ES("run.no_change") in text


def test_only_the_largest_of_many_changes_are_named(run: Run) -> None:
    """A hundred labels would push everything else off a phone's screen."""
    names = seed_taxonomy().names
    text, _ = rendered(run, report("wins", moved={name: (0, 6 + at, 0.01) for at, name in enumerate(names)}))
    fell = next(line for line in text.splitlines() if line.startswith(":arrow_down:"))
    assert fell.count("−") == run_blocks.MOST_CHANGES
    assert fell.endswith(f" y {len(names) - run_blocks.MOST_CHANGES} más")
    assert f"(+0 −{5 + len(names)})" in fell


@pytest.mark.parametrize(("right", "tenths"), [(96, 10), (95, 9), (64, 7), (2, 0), (0, 0)])
def test_ten_of_ten_is_only_said_where_all_are_right(run: Run, right: int, tenths: int) -> None:
    text, _ = rendered(run, report("first", live=None, right=right, moved={}))
    assert ES("run.right", tenths=tenths, right=right, texts=96) in text


def test_a_report_of_0_1_0_is_rendered_without_what_it_did_not_count(run: Run) -> None:
    """Its rows are due again when a version of theirs is put to work, or a message of theirs is forgotten."""
    text, shown = rendered(run, report("wins", right=None, moved={}))
    assert "de cada 10" not in text
    assert ES("run.changes_how") not in words_of(shown)


def test_the_buttons_do_what_can_be_done_now(run: Run) -> None:
    """After an automatic promotion there was no way back, and after a rollback none forward."""
    go_back, promote, keep = run_blocks.GO_BACK_ACTION, run_blocks.PROMOTE_ACTION, run_blocks.KEEP_ACTION
    details = run_blocks.DETAILS_ACTION
    cases: list[tuple[Standing, set[str]]] = [
        (LIVE, {go_back, details}),
        (Standing(is_live=True, was_live=True), {details}),
        (Standing(), {promote, keep, details}),
        (Standing(was_live=True, by="U2"), {promote, details}),
        (Standing(is_kept=False), {keep, details}),
    ]
    for standing, wanted in cases:
        _, shown = rendered(run, report("wins"), standing)
        assert set(buttons(shown)) == wanted, standing
    _, shown = rendered(run, report("wins"))
    assert buttons(shown)[go_back]["text"]["text"] == "Volver a la versión 1"


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_was_not_found_better_is_asked_about_before_it_is_put_to_work(run: Run, language: str) -> None:
    """One tap put a worse version to work for everybody."""
    for codes, promote, asks in ((("wins",), True, False), (("live_broken",), False, False), (("loses",) * 9, False, True)):
        _, shown = rendered(run, report(*codes, promote=promote), Standing(), language)
        button = buttons(shown)[run_blocks.PROMOTE_ACTION]
        assert ("confirm" in button) == asks
        if asks:
            assert load_texts(language)("run.sure_text", version=2) in button["confirm"]["text"]["text"]
    view = run_blocks.promote_modal(report(*["loses"] * 9, promote=False), seed_taxonomy(), load_texts(language), metadata="{}")
    check_view(view, "modal")


@pytest.mark.parametrize(("language", "told"), [("es", "si ya responde alguna"), ("en", "if any does yet")])
def test_a_run_that_made_nothing_claims_no_version_that_answers(run: Run, language: str, told: str) -> None:
    """Of the first training that failed it was said that the version which answers is the same as before: there was none."""
    for ended in ({"status": "failed", "error": "no hub"}, {"status": "cancelled", "cancelled_by": "U1"}):
        text, _ = run_blocks.status(run.__class__(**vars(run) | ended), load_texts(language))
        assert told in text


@pytest.mark.parametrize(
    ("standing", "status", "now"),
    [
        (LIVE, "promoted", ":large_green_circle: Es la que responde."),
        (Standing(is_live=True, was_live=True, by="U2"), "promoted", "Es la que responde. <@U2> la puso a responder."),
        (Standing(was_live=True, by="command line"), "replaced", "Ya no responde. Quien administra BETO puso otra."),
        (Standing(was_live=True), "replaced", "Ya no responde: un reentrenamiento posterior puso otra."),
        (Standing(), "kept", "Se guarda y no responde."),
        (Standing(is_kept=False), "kept", "Sus archivos ya se borraron"),
    ],
)
def test_status_and_report_say_what_is_true_now(run: Run, standing: Standing, status: str, now: str) -> None:
    """One said that the version is kept and does not answer, the other that it answers."""
    made = report("loses", promote=False).model_copy(update={"promoted": True})  # whatever was so when the run ended
    done = run.__class__(**vars(run) | {"status": "done", "report": made, "decided": Decided("promoted", "U9")})
    text, _ = run_blocks.status(done, ES, standing)
    assert ES(f"run.{status}", version=2) in text
    text, _ = rendered(done, made, standing)
    assert now in text
    assert ("no responde" in text) == (not standing.is_live)


def test_the_details_and_the_picture_of_four_hundred_labels(run: Run, trained_version: Path) -> None:
    """The list ended in the middle of a word, and the picture was twenty thousand pixels tall."""
    made = report("wins", moved={f"etiqueta_{at}": (at, 1, 0.5) for at in range(400)})
    card = Card.model_validate_json((trained_version / "card.json").read_text(encoding="utf-8"))
    view = run_blocks.details(made, card, seed_taxonomy(), ES)
    check_view(view, "modal")
    assert all(f"etiqueta_{at} (12)" in words_of(view["blocks"]) for at in range(400))
    with Image.open(io.BytesIO(charts.draw(made, seed_taxonomy(), ES))) as picture:
        assert picture.width == 1080
        assert picture.height < 2500


def test_the_letters_of_the_picture_are_those_of_spanish() -> None:
    """The letters that its library brings have no accents, and an image of ours has no others."""
    font = charts._font(20, bold=False)
    missing = bytes(font.getmask("\uffff"))
    assert all(bytes(font.getmask(letter)) != missing for letter in "áéíóúüñÁÉÍÓÚÜÑ¿¡«»…·")


@pytest.mark.parametrize("live", [1, None])
def test_a_report_tells_what_preferred_labels_give_as_they_serve(run: Run, live: int | None) -> None:
    """All other figures are without the preference, and say so: else a team would look for its fraud in the wrong number."""
    made = report("wins", live=live)
    before = (38, 44) if live else (None, None)
    change = PreferredChange(preference="recall", found=40, given=52, found_before=before[0], given_before=before[1])
    fraud = LabelChange(before=None, after=0.7, support=44, better=0, worse=0, chance=1.0, preferred=change)
    comparison = made.comparison.model_copy(update={"per_label": made.comparison.per_label | {"fraude": fraud}})
    text, shown = rendered(run, made.model_copy(update={"comparison": comparison}))
    [line] = [each for each in text.splitlines() if "dart" in each]
    assert "*Fraude* (Que no se escape ninguno (exhaustividad)): encuentra 40 de 44, en 52 avisos" in line
    assert ("la versión 1, 38, en 44 avisos" in line) == (live == 1)
    assert "se miden sin ella" in words_of(shown)
    assert "se miden sin ella" not in words_of(rendered(run, report("wins"))[1])


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize(
    ("status", "progress", "states"),
    [
        ("queued", None, ["pending", "pending", "pending", "pending"]),
        ("running", None, ["in_progress", "pending", "pending", "pending"]),
        ("running", Progress(stage="preparing", part="reading", step=3, steps=9), ["in_progress"] + ["pending"] * 3),
        (
            "running",
            Progress(stage="training", step=1, steps=2, epoch=2, loss=0.13, seconds_left=99),
            ["complete", "in_progress"],
        ),
        ("running", Progress(stage="evaluating"), ["complete", "complete", "in_progress", "pending"]),
        ("failed", Progress(stage="training", step=1, steps=2), ["complete", "error", "pending", "pending"]),
    ],
)
def test_a_run_under_way_is_a_plan_of_tasks(
    run: Run, language: str, status: Any, progress: Progress | None, states: list[str]
) -> None:
    """Each step says by itself whether it is done; in the classic form a line says it, as ever."""
    texts = load_texts(language)
    run = replace(run, status=status, progress=progress, error="<!channel> sin memoria" if status == "failed" else None)
    _, shown = run_blocks.status(run, texts)
    check_message(shown)
    [plan] = [block for block in shown if block["type"] == "plan"]
    assert [task["status"] for task in plan["tasks"]][: len(states)] == states
    assert [task["title"] for task in plan["tasks"]] == [texts(f"run.step_{step}") for step in run_blocks.STEPS]
    told = classic_form(shown)
    assert [block["type"] for block in told] == ["section", *(["actions"] if status != "failed" else [])]
    check_message(told)
    details = [task["details"] for task in plan["tasks"] if "details" in task]
    if progress is not None and progress.steps:
        [said] = details  # of the step that is under way, or failed, alone
        words = "<!channel> sin memoria" if status == "failed" else texts.percent(progress.step / progress.steps)
        assert words in said["elements"][0]["elements"][0]["text"]
        assert "mrkdwn" not in str(said)


def test_a_run_that_is_over_or_cancelled_is_one_line(run: Run) -> None:
    """Four ticks under "version 3 answers now" would say nothing more."""
    each: list[dict[str, Any]] = [
        {"status": "done"},
        {"status": "cancelled", "cancelled_by": "U1"},
        {"status": "running", "cancelled_by": "U1"},
    ]
    for changes in each:
        _, shown = run_blocks.status(replace(run, **changes), ES)
        assert "plan" not in [block["type"] for block in shown]


@pytest.mark.parametrize("language", ["es", "en"])
def test_scores_are_a_chart_and_a_table_within_slacks_limits(language: str) -> None:
    """A hundred labels with long names that begin alike: the chart has those that change most, the table has all."""
    texts, base = load_texts(language), report()
    long = {f"l{n}": f"Una etiqueta de nombre larguísimo, la número {n}" for n in range(130)}
    taxonomy = Taxonomy([Label(name=name, title=title, title_en=title, emoji="", description="") for name, title in long.items()])
    per_label = {name: LabelChange(before=None if n == 5 else 0.5, after=0.5 + n / 300, support=n) for n, name in enumerate(long)}
    made = base.model_copy(update={"comparison": base.comparison.model_copy(update={"per_label": per_label})})
    shown = score_blocks.scores(made, taxonomy, texts)
    check_message(shown)
    chart, table = shown
    assert chart["chart"]["axis_config"]["categories"][-1] != chart["chart"]["axis_config"]["categories"][-2]
    assert [point["value"] for point in chart["chart"]["series"][1]["data"]][-1] == round(50 + 129 / 3, 1)
    assert len(table["rows"]) == 101
    assert table["rows"][6][2] == {"type": "raw_text", "text": "–"}  # nobody measured it before
    assert classic_form(shown) == []
    first = report(live=None, moved={})
    [series] = score_blocks.scores(first, seed_taxonomy(), texts)[0]["chart"]["series"]
    assert series["name"] == texts("run.picture_before", version=2)
    check_message(score_blocks.scores(first, seed_taxonomy(), texts))
