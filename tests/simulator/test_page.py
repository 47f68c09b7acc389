"""The simulator's page by itself, in a real browser: its tools, its policy, and whether everybody can use it."""

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from selenium.webdriver import Chrome, Keys
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.server import PAGE, Simulator
from bot.views import reply_blocks, why_blocks
from bot.views.texts import load_texts
from model.judgements import fold
from model.labels import seed_taxonomy
from model.schema import Carried, Explanation, Prediction
from model.store.store import Store
from tests.conftest import missing
from tests.journeys.browser import THREAD, Window, complaints, installed, running_browser
from tests.simulator.newer import (
    alert,
    cell,
    chart,
    container,
    data_table,
    number,
    part,
    pie,
    plain,
    plan,
    rich,
    row,
    task,
    thumbs,
)
from tests.slack.connected import connected, grow

AXE = Path(__file__).parent.parent / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
TOOLS, TRANSFER = "[data-testid=tools]", "[data-testid=transfer]"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if (paths := installed()) is None:
        missing("Chromium")
    with running_browser(*paths, tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def ana(slack: SimulatorThread, chrome: Chrome) -> Iterator[Window]:
    """Ana's window, without a page yet. Whatever the pages report in their consoles fails the test."""
    window = Window(chrome, slack.url)
    window.resize(1280, 800)
    yield window
    window.resize(1280, 800)
    found = complaints(chrome)
    chrome.get("about:blank")  # or the page would look for a simulator that is gone, and complain in the next test
    assert found == []


def call(slack: SimulatorThread, method: str, **arguments: Any) -> dict[str, Any]:
    """Call the Web API as the app."""

    async def send() -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {Simulator.bot_token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{slack.url}/api/{method}", data=arguments, headers=headers) as response,
        ):
            answer: dict[str, Any] = await response.json()
            return answer

    return slack.run(send())


def furnish(slack: SimulatorThread) -> None:
    """Fill #general with everything that a channel can have: markup, a thread, reactions, blocks with a button."""

    async def write(person: Person) -> str:
        await person.invite("general", "beto")
        ts = await person.message("general", "`código` para @luis, mira #atencion y https://ejemplo.com :tada:")
        await person.react("general", ts, "credit_card")
        await person.message("general", "en el hilo", thread_ts=ts)
        return ts

    ts = slack.as_person("ana", write)
    button = {"type": "button", "action_id": "b", "text": {"type": "plain_text", "text": "Correcto"}}
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*Tarjeta* 90 %"}},
        {"type": "actions", "elements": [button]},
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "mini"}]},
    ]
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", thread_ts=ts, blocks=json.dumps(blocks))
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", blocks=json.dumps(blocks))


# --- who can use it ---


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("what", ["channel", "thread", "picker", "wire", "faults", "keys"])
def test_axe_finds_nothing_serious(slack: SimulatorThread, ana: Window, theme: str, width: int, what: str) -> None:
    """People with a screen reader, with a keyboard alone or with weak eyes use the same page."""
    furnish(slack)
    ana.resize(width, 800)
    ana.open("ana", "general", theme=theme)
    message = ana.message("código")
    if what == "thread":
        ana.click(f"{message} [data-testid=replies]")
        ana.see("#thread", "Correcto")
    elif what == "picker":
        ana.click(f"{message} .pill.add")
        ana.see("[data-testid=picker] .picker-cell")
    elif what in ("wire", "faults"):
        open_tools(ana)
        ana.click(f"[data-testid=tools-{what}]")
        if what == "wire":
            ana.click(f"{TRANSFER} summary")
        else:
            ana.see("[data-testid=fault-state]", "sockets")
    elif what == "keys":
        ana.press(Keys.ESCAPE)
        ana.script("document.activeElement.blur()")
        ana.press("?")
        ana.see("[data-testid=keys]")
    assert serious_findings(ana) == []


@pytest.mark.parametrize("language", ["es", "en"])
def test_a_reply_that_has_learnt_and_its_reasons_can_be_read_by_everybody(
    slack: SimulatorThread, ana: Window, language: str
) -> None:
    """What answers, whose word it repeats, what is still learning, and why: in either theme, on a telephone, too."""
    texts, taxonomy, words = load_texts(language), seed_taxonomy(), "me clonaron la tarjeta y quiero mi plata"
    scores = dict.fromkeys(taxonomy.names, 0.01) | {"fraude": 0.97, "tarjeta": 0.8, "agencia": 0.6}
    given = ("fraude", "tarjeta", "agencia")
    answer = Prediction(version=3, base="mini", scores=scores, labels=given, corrections=12, learning=("agencia",))
    state = fold([], names=taxonomy.names, predicted=given)
    known = texts("reply.known", link="<https://example.com|otro mensaje>", people="@Luis")
    _, reply = reply_blocks.reply(answer, state, taxonomy, texts, known=known)
    spans = ((1, 2), (3, 4))
    carried = [Carried(label=name, score=each, given=name in given, words=spans, against=()) for name, each in scores.items()]
    explained = Explanation(version=3, base="mini", corrections=12, revision=1, labels=tuple(carried))
    near = [why_blocks.Near("<https://example.com|me robaron la tarjeta en el cajero>", ("fraude",), ("U0SIMULUIS",))]
    modal = why_blocks.explanation(
        explained, words.split(), state, taxonomy, texts, known=known, near=near, asked=None, describes=True, metadata="{}"
    )

    async def write(person: Person) -> str:
        await person.invite("general", "beto")
        return await person.message("general", words)

    ts = slack.as_person("ana", write)
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", thread_ts=ts, blocks=json.dumps(reply))
    for theme, width in itertools.product(("light", "dark"), (400, 1280)):
        ana.resize(width, 800)
        ana.open("ana", "general", theme=theme, lang=language)
        ana.click(f"{ana.message(words)} [data-testid=replies]")
        told = ana.see(THREAD, "mini · ")
        assert texts("reply.signature_corrected", base="mini", version=3, count=12) in told
        assert texts("reply.learning") in told
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        trigger = slack.run(a_trigger(slack))
        call(slack, "views.open", trigger_id=trigger, view=json.dumps(modal))
        assert "«clonaron», «tarjeta»" in ana.see("[data-testid=modal]", texts("why.near").strip("*"))
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        ana.press(Keys.ESCAPE)
        ana.see_none("[data-testid=modal]")


def test_the_newer_blocks_are_drawn_for_everybody(slack: SimulatorThread, ana: Window) -> None:
    """Thumbs, tasks, tables that sort and turn their pages, charts with their numbers, alerts and boxes that fold."""
    slack.as_person("ana", lambda person: person.invite("general", "beto"))
    rows = [[cell("Etiqueta"), cell("F1")], *([cell(f"e{n:02}"), number(n)] for n in range(12))]
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", blocks=json.dumps([row(thumbs()), data_table(rows)]))
    drawn = [
        plan(task("1", status="in_progress", details=rich(part("rich_text_section", "época 2"))), task("2")),
        chart(["a", "b"], ("uno", ["a", "b"]), ("dos", ["a", "b"])), pie(2, 1),
        container({"type": "header", "text": plain("plegado")}, is_collapsible=True, default_collapsed=True),
    ]  # fmt: skip
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", blocks=json.dumps(drawn))
    modal = {"type": "modal", "title": plain("T"), "blocks": [alert(level="warning")]}
    for theme, width in itertools.product(("light", "dark"), (400, 1280)):
        ana.resize(width, 1200)
        ana.open("ana", "general", theme=theme)
        ana.see(".block.plan [data-status=in_progress]", "época 2")
        assert ana.script("return document.querySelectorAll('.unknown').length") == 0
        assert ana.script("return document.querySelectorAll('.chart svg rect').length") == 4
        assert ana.script("return document.querySelectorAll('.chart svg path').length") == 2
        assert not ana.script("return document.querySelector('.block.container .header').checkVisibility()")
        ana.click(".block.container summary")
        ana.see(".block.container .header", "plegado")
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        call(slack, "views.open", trigger_id=slack.run(a_trigger(slack)), view=json.dumps(modal))
        ana.see("[data-testid=modal] .alert.level-warning", "Ojo")
        assert (serious_findings(ana), ana.faint_words()) == ([], [])
        ana.press(Keys.ESCAPE)
        ana.see_none("[data-testid=modal]")
    for arrow in ("↑", "↓"):
        ana.click(".data_table th:last-child .sort")
        ana.see(".data_table th:last-child .sort", arrow)
    ana.see(".data_table tbody", "e11")
    ana.click(".data_table .pages button:last-child")
    ana.see(".data_table .pages", "6–10")
    ana.click(".thumb[data-value=no]")
    ana.until(
        lambda: ana.script("return document.querySelector('.thumb[data-value=no]').ariaPressed") == "true", "the thumb is marked"
    )


def test_prompts_and_the_line_that_says_that_an_app_works_stand_above_the_composer(slack: SimulatorThread, ana: Window) -> None:
    """In the app's direct messages; a prompt is sent by a click, as by the person, and the line goes with the answer."""
    for theme, width in itertools.product(("light", "dark"), (400, 1280)):
        ana.resize(width, 900)
        ana.open("ana", "beto", theme=theme)
        direct = slack.simulator.workspace.direct_channel(
            slack.simulator.workspace.user("ana"), slack.simulator.workspace.user("beto")
        ).id
        prompts = [{"title": f"¿Pregunta número {number}?", "message": f"ayuda {number}"} for number in range(4)]
        call(slack, "assistant.threads.setSuggestedPrompts", channel_id=direct, title="Por ejemplo:", prompts=json.dumps(prompts))
        ana.see("[data-testid=prompts]", "¿Pregunta número 3?")
        ana.click("[data-testid=prompt][data-message='ayuda 2']")
        ana.see(".message:last-of-type", "ayuda 2")
        ts = str(next(reversed(slack.simulator.workspace.channels[direct].messages)))
        call(slack, "assistant.threads.setStatus", channel_id=direct, thread_ts=ts, status="está leyendo el mensaje…")
        ana.see("[data-testid=status]", "beto está leyendo el mensaje…")
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        call(slack, "chat.postMessage", channel=direct, thread_ts=ts, text="listo")
        ana.see_none(".assistant-status")


def test_a_canvas_is_opened_from_above_the_conversation(slack: SimulatorThread, ana: Window) -> None:
    """Headings, items and what people wrote, signs and all; it closes by the keyboard."""
    slack.as_person("ana", lambda person: person.invite("general", "beto"))
    content = {
        "type": "markdown",
        "markdown": "Al comienzo\n\n# Grupo\n\n## :credit_card: Tarjeta\n\\# no \\[es\\] título\n- uno\n- dos",
    }
    call(slack, "canvases.create", channel_id="C0SIMUGENERAL", title="Guía", document_content=json.dumps(content))
    for theme, width in itertools.product(("light", "dark"), (400, 1280)):
        ana.resize(width, 900)
        ana.open("ana", "general", theme=theme)
        assert ana.too_wide() == []
        ana.click("[data-testid=canvas-tab]")
        assert "💳 Tarjeta" in ana.see("[data-testid=canvas] h4", "Tarjeta")
        ana.see("[data-testid=canvas] p", "# no [es] título")
        assert ana.script("return document.querySelectorAll('[data-testid=canvas] li').length") == 2
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        ana.press(Keys.ESCAPE)
        ana.see_none("[data-testid=canvas]")


def test_a_newcomer_runs_a_step_and_writes_to_a_group(slack: SimulatorThread, ana: Window) -> None:
    """Workflow Builder and group messages are tried here before anybody pays for Slack."""
    for width, theme in ((400, "dark"), (1280, "light")):
        ana.resize(width, 900)
        ana.open("ana", "general", theme=theme)
        if width == 400:
            ana.click("[data-testid=burger]")
        ana.click("[data-testid=open-group]")
        ana.click("[data-testid=group-luis]")
        ana.click("[data-testid=group-beto]")
        assert (serious_findings(ana), ana.faint_words()) == ([], [])
        ana.click("[data-testid=group-open]")
        assert "luis" in ana.see("[data-testid=channel-name]", "beto")
        if width == 400:
            ana.click("[data-testid=burger]")
        ana.click("[data-testid=open-tools]")
        ana.click("[data-testid=tools-steps]")
        ana.see("[data-testid=step-text]")
        ana.script("document.querySelector('[data-testid=step-text]').value = 'me robaron'")
        ana.click("[data-testid=step-run]")
        ana.see("[data-testid=step-result]", "…")
        assert (serious_findings(ana), ana.too_wide(), ana.faint_words()) == ([], [], [])
        functions = slack.simulator.apps[0].functions
        execution = next(reversed(functions.executions))
        assert functions.executions[execution]["inputs"] == {"text": "me robaron"}
        call(slack, "functions.completeError", function_execution_id=execution, error="no hay versión")
        ana.see("[data-testid=step-result]", "no hay versión")


async def a_trigger(slack: SimulatorThread) -> str:
    """Something that Ana did lately, by which the app may open a modal."""
    return slack.simulator.apps[0].views.new_trigger("U0SIMUANA")


def serious_findings(window: Window) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it is, with a few of the places."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm install --prefix tests/javascript")
    window.script(AXE.read_text(encoding="utf-8"))
    found = window.chrome.execute_async_script(
        "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then((one) => done(one.violations))"
    )
    return [
        f"{one['id']} ({one['impact']}): {[node['html'][:150] for node in one['nodes'][:4]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


# --- messages and links ---


def copied(window: Window) -> str:
    """Return the text in the clipboard."""
    return str(window.chrome.execute_async_script("navigator.clipboard.readText().then(arguments[0])"))


def test_a_copied_link_is_a_permalink_and_keeps_the_person(slack: SimulatorThread, ana: Window) -> None:
    """Commands that take a link know Slack's form only; and whoever follows one must not act as somebody else from then on."""
    furnish(slack)
    ana.chrome.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    ana.open("luis", "general")
    message = ana.message("código")
    ana.choose(message, "[data-do=copy]")
    ana.see("[data-testid=toast]", "Enlace copiado")
    ts = ana.ask("one.dataset.ts", message)
    assert copied(ana) == call(slack, "chat.getPermalink", channel="C0SIMUGENERAL", message_ts=ts)["permalink"]
    link = copied(ana)
    ana.chrome.get(link)  # pasted into the address bar
    ana.ready()
    ana.see("[data-testid=person][data-person=luis]")
    ana.see(THREAD, "en el hilo")
    ana.see_none("[data-testid=thread-composer]:focus")  # the next words are meant for the channel
    reply = ana.message("en el hilo", THREAD)
    ana.choose(reply, "[data-do=copy]")
    ana.until(lambda: copied(ana) != link, "another link")
    in_thread = ana.ask("one.dataset.ts", reply)
    assert copied(ana) == call(slack, "chat.getPermalink", channel="C0SIMUGENERAL", message_ts=in_thread)["permalink"]

    async def post(person: Person) -> None:
        await person.message("atencion", f"mira {link}")

    slack.as_person("maria", post)
    ana.open("carlos", "atencion")
    ana.click(f"{ana.message('mira')} a")  # in the page itself, without another window
    ana.see("[data-testid=person][data-person=carlos]")
    ana.see(THREAD, "en el hilo")


def test_the_words_of_a_link_show_emoji(slack: SimulatorThread, ana: Window) -> None:
    """A digest links each message by its first words; Slack shows an emoji there, not its name."""
    furnish(slack)
    call(
        slack,
        "chat.postMessage",
        channel="C0SIMUGENERAL",
        text="• <https://ejemplo.com|bien hecho :clap::skin-tone-4: &amp; :no_hay:>",
    )
    ana.open("ana", "general")
    assert ana.see(f"{ana.message('bien hecho')} a") == "bien hecho 👏🏽 & :no_hay:"


def test_the_way_down_is_offered_for_new_messages_only(slack: SimulatorThread, ana: Window) -> None:
    """A reaction somewhere must not call a reader down to messages that are not there."""

    async def fill(person: Person) -> str:
        stamps = [await person.message("general", f"línea {number}\n\n\n") for number in range(30)]
        return stamps[0]

    first = slack.as_person("luis", fill)
    ana.open("ana", "general")
    ana.message("línea 29")
    ana.script("document.querySelector('#main .list').scrollTop = 0")

    async def react(person: Person) -> None:
        await person.react("general", first, "tada")

    async def write(person: Person) -> None:
        await person.message("general", "algo nuevo")

    slack.as_person("luis", react)
    ana.see("#main [data-testid=reaction][data-emoji=tada]")
    ana.see_none(".jump")
    slack.as_person("luis", write)
    ana.see(".jump", "Mensajes nuevos")


@pytest.mark.parametrize("width", [320, 400])
def test_the_bots_name_is_whole_above_its_home(slack: SimulatorThread, ana: Window, width: int) -> None:
    """On a telephone the name says whose page this is; it was cut to «be…»."""
    ana.resize(width, 800)
    ana.open("ana", "beto", tab="home")
    assert ana.see("[data-testid=channel-name]") == "beto"
    assert ana.ask("one.scrollWidth <= one.clientWidth", "[data-testid=channel-name]")
    assert ana.too_wide() == []


# --- the tools ---


def open_tools(window: Window) -> None:
    """Open the panel of tools, in the way that the window's width offers."""
    if window.script("return innerWidth < 860"):
        window.click("[data-testid=burger]")
    window.click("[data-testid=open-tools]")
    window.see(TOOLS)


def test_what_travels_is_shown_from_the_past_on_and_live(slack: SimulatorThread, ana: Window) -> None:
    """Somebody whose app does not answer looks here first: was it sent, was it acknowledged, what did it say?"""
    ana.open("ana", "general")
    call(slack, "auth.test")
    open_tools(ana)
    ana.see(f"{TRANSFER}[data-name='auth.test']", "ok")
    call(slack, "chat.postMessage", channel="C404", text="al aire")
    row = f"{TRANSFER}[data-outcome=channel_not_found]"
    ana.see(row, "chat.postMessage")
    ana.click(f"{row} summary")
    assert json.loads(ana.see(f"{row} pre"))["request"] == {"channel": "C404", "text": "al aire"}
    assert Simulator.bot_token not in ana.see(TOOLS)


def test_what_travels_can_be_filtered_and_copied(slack: SimulatorThread, ana: Window) -> None:
    """For a bug report: only the calls in question, as lines of JSON."""
    ana.chrome.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    ana.open("ana", "general")
    call(slack, "auth.test")
    call(slack, "users.info", user="U0SIMUANA")
    open_tools(ana)
    ana.see(TRANSFER, "users.info")
    ana.ask("one", "[data-testid=wire-filter]").send_keys("USERS.info")
    ana.see_none(TRANSFER, "auth.test")
    ana.click("[data-testid=wire-copy]")
    ana.see("[data-testid=toast]", "Copiado")
    copied = ana.chrome.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert [json.loads(line)["name"] for line in copied.splitlines()] == ["users.info"]
    call(slack, "auth.test")  # what does not match stays away, live too
    call(slack, "users.info", user="U0SIMULUIS")
    ana.until(lambda: ana.script(f'return document.querySelectorAll("{TRANSFER}").length') == 2, "two transfers")


@pytest.mark.parametrize("width", [320, 390, 860, 1280])
def test_the_tools_fit_into_every_window(slack: SimulatorThread, ana: Window, width: int) -> None:
    """And the composer stays in sight above them: one writes, and watches what travels."""
    ana.resize(width, 800)
    ana.open("ana", "reclamos")
    call(slack, "chat.postMessage", channel="C404", text="x" * 300)
    open_tools(ana)
    ana.click(f"{TRANSFER} summary")
    assert ana.too_wide() == []
    assert ana.shows_whole("[data-testid=composer]")
    ana.click("[data-testid=tools-faults]")
    assert ana.too_wide() == []


def test_a_fault_is_ordered_on_the_page(slack: SimulatorThread, ana: Window) -> None:
    """With the mouse, by people who write no test."""
    ana.open("ana", "general")
    open_tools(ana)
    ana.click("[data-testid=tools-faults]")
    for name, value in (("method", "auth.test"), ("failure", "invalid_auth")):
        ana.script("arguments[0].value = arguments[1]", ana.ask("one", f"[data-testid=fault-{name}]"), value)
    ana.click("[data-testid=fault-fail]")
    ana.see("[data-testid=fault-state]", "invalid_auth")
    assert call(slack, "auth.test")["error"] == "invalid_auth"
    ana.click("[data-testid=step-3600]")
    ana.see("[data-testid=fault-state]", "unix")
    ana.until(lambda: slack.simulator.clock.seconds() >= 3_600, "an hour has passed")


def test_the_tools_close_with_escape_and_give_the_focus_back(slack: SimulatorThread, ana: Window) -> None:
    """A keyboard must not get lost in a panel, and nothing is spent on a log that nobody sees."""
    ana.open("ana", "general")
    ana.tab_to("[data-testid=open-tools]", back=True)
    ana.press(Keys.ENTER)
    ana.see(TOOLS)
    ana.until(lambda: slack.simulator.wire.watchers, "the page listens")
    ana.press(Keys.ESCAPE)
    ana.see_none(TOOLS)
    ana.until(lambda: not slack.simulator.wire.watchers, "the page no longer listens")
    assert ana.script("return document.activeElement.dataset.testid") == "open-tools"


# --- the page's files ---


def test_the_policy_allows_no_styles_but_the_pages_own(slack: SimulatorThread, ana: Window) -> None:
    """What somebody smuggles into the page can neither run nor repaint it; the page's own colours still come."""
    ana.open("ana", "general")
    policy = ana.chrome.execute_async_script(
        "const done = arguments[0]; fetch('/').then((one) => done(one.headers.get('Content-Security-Policy')))"
    )
    assert "unsafe" not in policy
    assert ana.ask("one.style.backgroundColor", ".sidebar .who .avatar") != ""
    before = ana.ask("getComputedStyle(one).color", "body")
    ana.script(
        "const style = document.createElement('style'); style.textContent = 'body { color: red }'; document.head.append(style)"
    )
    assert ana.ask("getComputedStyle(one).color", "body") == before
    assert [one for one in complaints(ana.chrome) if "Content Security Policy" in one]


def test_the_pickers_meanings_are_the_labels() -> None:
    """A label that was renamed must be found under its new name in the picker."""
    meanings = json.loads((PAGE / "emoji.json").read_text(encoding="utf-8"))["meanings"]
    named = {one["name"]: (one["es"], one["en"]) for one in meanings}
    for label in seed_taxonomy():
        assert named.get(label.emoji) == (label.title, label.title_en), label.name


def test_the_page_can_render_every_emoji_that_the_bot_writes() -> None:
    """A name in colons in the middle of a sentence is what people see of the others."""
    groups = json.loads((PAGE / "emoji.json").read_text(encoding="utf-8"))["groups"]
    known = {name for _, names, _ in _rows(groups) for name in names.split()}
    for language in ("es", "en"):
        written = set(re.findall(r":([a-z0-9_]+):", " ".join(load_texts(language).sentences.values())))
        assert written - known == set()


def _rows(node: object) -> list[list[str]]:
    """List the rows [character, names, title], however deep they are nested."""
    if isinstance(node, list) and len(node) == 3 and all(isinstance(each, str) for each in node):
        return [node]
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [row for each in inner for row in _rows(each)]


# --- menus that ask the app ---


@pytest.mark.parametrize("labels", [101, 400])
def test_a_label_among_hundreds_is_found_by_typing(
    slack: SimulatorThread, ana: Window, tmp_path: Path, migrated_file: Path, labels: int
) -> None:
    """The product's own modal, with more labels than a menu holds: typed, chosen, saved, and still chosen when opened again."""
    shutil.copyfile(migrated_file, tmp_path / "beto.db")
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    grow(store, labels)
    form = "[data-testid=modal]:has([data-testid=modal-submit])"
    last = f"tema_{labels - 1}"
    with connected(slack, store, tmp_path, []):
        ana.open("ana", "general")
        ana.write("perdí mi tarjeta")
        message = ana.message("perdí mi tarjeta")
        ana.choose(message, "[data-callback-id=edit_labels]")
        ana.see(f"{form} .multi-open:focus")
        ana.click(f"{form} .multi-open")
        ana.see(".multi-option")
        ana.until(lambda: ana.script("return document.querySelectorAll('.multi-option').length") == 100, "a hundred labels")
        ana.press(f"tema {labels - 1}")
        ana.see(".multi-option", f"Tema número {labels - 1}")
        ana.until(lambda: ana.script("return document.querySelectorAll('.multi-option').length") == 1, "one label")
        ana.press(Keys.ENTER)
        ana.see(f"{form} .chip[data-value={last}]")
        ana.press("no hay tal cosa")
        ana.see(".picker-none", "no hay tal cosa")
        ana.press(Keys.ENTER, Keys.ESCAPE)
        ana.click("[data-testid=modal-submit]")
        ana.see_none("[data-testid=modal]")
        ts = ana.ask("one.dataset.ts", message)
        stored = store.messages.find("C0SIMUGENERAL", ts)
        assert stored is not None
        judged = store.judged.of(stored.id, store.labels.current())
        assert judged is not None
        assert judged.state.shown == (last,)
        ana.choose(message, "[data-callback-id=edit_labels]")
        assert ana.see(f"{form} .chip[data-value={last}]").startswith(f"Tema número {labels - 1}")
    store.close()


@pytest.mark.parametrize("kind", ["external_select", "multi_external_select"])
def test_a_menu_asks_the_app_from_as_many_characters_on_as_it_says(slack: SimulatorThread, ana: Window, kind: str) -> None:
    """Three if it says nothing; Slack's own default."""
    asked: list[str] = []
    app = AsyncApp(
        client=AsyncWebClient(token=Simulator.bot_token, base_url=f"{slack.url}/api/"), signing_secret=Simulator.signing_secret
    )

    @app.options("city")
    async def search(ack: Any, body: dict[str, Any]) -> None:
        asked.append(body["value"])
        await ack(options=[{"text": {"type": "plain_text", "text": "Quito"}, "value": "quito"}])

    chosen: list[dict[str, Any]] = []

    @app.action("city")
    async def choose(ack: Any, body: dict[str, Any]) -> None:
        chosen.append(body["actions"][0])
        await ack()

    async def connect() -> AsyncSocketModeHandler:
        handler = AsyncSocketModeHandler(app, app_token=Simulator.app_token)
        await handler.connect_async()
        return handler

    handler = slack.run(connect())
    furnish(slack)
    row = {"type": "actions", "elements": [{"type": kind, "action_id": "city"}]}
    call(slack, "chat.postMessage", channel="C0SIMUGENERAL", text="x", blocks=json.dumps([row]))
    ana.open("ana", "general")
    ana.click("#main [data-action-id=city] .multi-open")
    ana.press("qu")
    ana.see(".picker-none")
    assert asked == []
    ana.press("i")
    ana.click(".multi-option[data-value=quito]")
    ana.press(Keys.ESCAPE)
    ana.see("#main .chip", "Quito")
    ana.until(lambda: chosen, "the choice reaches the app")
    assert asked == ["qui"]
    option = {"text": {"type": "plain_text", "text": "Quito", "emoji": True}, "value": "quito"}
    given = chosen[0]["selected_option"] if kind == "external_select" else chosen[0]["selected_options"]
    assert given == (option if kind == "external_select" else [option])
    slack.run(handler.close_async())
