"""The pictures of a newcomer's first hour, on the real page before the running product: `python -m tests.tour FOLDER`.

Own labels from nothing, the first label, the first correction, why, a review of ten cards, a retraining, a new label, merging and
undoing, going back. Each screen light and dark, 1280 and 400 pixels wide; axe-core looks at each. `--language en` in English.
"""

import argparse
import asyncio
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from PIL import Image
from selenium.webdriver import Keys
from selenium.webdriver.support.select import Select

from bot.simulator.person import Person
from bot.views import guide_blocks, label_blocks, reply_blocks, run_blocks
from model.labels import Label, LabelEvent
from tests.journeys.browser import THREAD, Window, installed, running_browser
from tests.outbox_rows import is_told
from tests.town import Town, running_town, wait_until

AXE = Path(__file__).parent / "javascript" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS, THEMES, HEIGHT = (1280, 400), ("light", "dark"), 900
MODAL, SUBMIT, CLOSE = "[data-testid=modal]", "[data-testid=modal-submit]", "[data-testid=modal-close]"
UNDO = f"{MODAL} [data-action-id={label_blocks.UNDO_BUTTON}]"
# What people chose for themselves: the bot's own language is that of what a channel reads.
LOCALES = {"es": "es-LA", "en": "en-US"}
PATIENCE_S = 240
FIRST = "¿Cuándo depositan la nómina de este mes?"
OTHERS = (
    "Todavía no me llega el sueldo de octubre", "El rol de pagos tiene mal las horas extra", "¿Dónde descargo mi rol de pagos?",
    "La impresora del tercer piso no funciona", "¿Quién abre la sala de reuniones?", "Me descontaron dos veces el anticipo",
    "Necesito otro monitor para mi puesto", "¿Cuándo pagan el décimo tercero?", "El aire acondicionado hace mucho ruido",
    "No me depositaron las horas extra", "Perdí la tarjeta de entrada al edificio", "¿Me pueden certificar mi sueldo?",
)  # fmt: skip
PAY = ("nómina", "sueldo", "anticipo", "rol de pagos", "décimo", "horas extra")


class Tour:
    """One newcomer's way, and the pictures of it."""

    def __init__(self, window: Window, town: Town, folder: Path, language: str) -> None:
        self.window, self.town, self.folder, self.language = window, town, folder, language
        self.number = 0
        self.serious: list[str] = []

    def shot(self, name: str) -> None:
        """Take the screen as it stands, in each theme and width, and let axe-core look at it."""
        self.number += 1
        for width in WIDTHS:
            self.window.resize(width, HEIGHT)
            for theme in THEMES:
                self.window.script("document.documentElement.dataset.theme = arguments[0]", theme)
                self.window.script("document.getAnimations().forEach((one) => { try { one.finish() } catch { one.cancel() } })")
                with Image.open(io.BytesIO(self.window.chrome.get_screenshot_as_png())) as picture:
                    path = self.folder / f"{self.number:02}-{name}-{theme}-{width}.png"
                    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
                self.serious += [f"{self.number:02}-{name} {theme} {width}: {each}" for each in self._axe()]
        self.window.script("document.documentElement.dataset.theme = 'light'")
        self.window.resize(WIDTHS[0], HEIGHT)
        wide = (
            f"return innerWidth === {WIDTHS[0]} && Boolean(document.querySelector('[data-testid=composer]')?.checkVisibility())"
        )
        self.window.until(lambda: self.window.script(wide), "the wide window", PATIENCE_S)
        print(f"{self.number:02}-{name}", flush=True)

    def _axe(self) -> list[str]:
        if not AXE.is_file():
            return []
        if not self.window.script("return Boolean(window.axe)"):
            self.window.script(AXE.read_text(encoding="utf-8"))
        found = self.window.chrome.execute_async_script(
            "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then((one) => done(one.violations))"
        )
        return [
            f"{one['id']}: {[node['html'][:120] for node in one['nodes'][:2]]}"
            for one in found
            if one["impact"] in ("serious", "critical")
        ]

    def fill(self, block: str, text: str) -> None:
        """Type into a field of the form."""
        css = f"{MODAL} [data-block-id={block}]"
        self.window.ask("one", f"{css} input, {css} textarea").send_keys(text)

    def see(self, css: str, says: str = "") -> None:
        """Wait with more patience than a test has: a picture is wanted, however slow the machine is."""
        self.window.until(lambda: self.window.script("return [...document.querySelectorAll(arguments[0])].some((one) => "
            "one.checkVisibility({visibilityProperty: true}) && one.innerText.includes(arguments[1]))", css, says),
            f"{css} saying {says}", PATIENCE_S)  # fmt: skip

    def press(self, action: str, where: str = MODAL) -> None:
        """Press a button of ours, whatever it is called in this language."""
        css = f"{where} [data-action-id={action}]"
        self.see(css)
        self.window.click(css)

    def close_all(self) -> None:
        """Leave every screen that lies over the channel."""
        while self.window.script(f"return document.querySelectorAll('{MODAL}[open]').length"):
            self.window.click(CLOSE)
        self.window.see_none(MODAL)

    def say(self, text: str) -> str:
        """Write a message and return the selector of the bot's reply, in its open thread."""
        self.window.write(text)
        message = self.window.message(text)
        self.window.until(lambda: self.window.script(f"return document.querySelector('{message} [data-testid=replies]')"),
                          "a reply", PATIENCE_S)  # fmt: skip
        self.window.click(f"{message} [data-testid=replies]")
        ts = self.window.ask("one.dataset.ts", message)
        thumbs = f"{THREAD}:has([data-ts='{ts}']) [data-action-id={reply_blocks.FEEDBACK_ACTION}]"
        self.see(thumbs)
        reply = self.window.ask("one.closest('[data-testid=message]').dataset.ts", thumbs)
        return f"{THREAD} [data-ts='{reply}']"


def first_hour(tour: Tour) -> None:
    """Take a person who knows none of it through."""
    window, town = tour.window, tour.town
    window.open("ana", "reclamos", lang=tour.language)
    window.write("/invite @beto")
    tour.see("[data-testid=message]", "@beto")
    window.write("/beto watch")
    tour.see("[data-ephemeral]")
    tour.see(SUBMIT)
    tour.shot("showing")
    tour.close_all()
    tour.shot("installed")

    window.write("/beto etiquetas")
    tour.see(f"{MODAL} [data-action-id={label_blocks.OWN_BUTTON}]")
    tour.shot("whose-labels")
    tour.press(label_blocks.OWN_BUTTON)
    tour.see(f"{MODAL} [data-action-id={label_blocks.UNDO_BUTTON}]")
    tour.shot("from-nothing")
    tour.press(label_blocks.ADD_BUTTON)
    tour.see(f"{MODAL} [data-block-id=title] input")
    tour.fill("title", "Nómina")
    tour.fill("emoji", ":moneybag:")
    tour.fill("description", "Sueldos, roles de pago, décimos y horas extra.")
    tour.fill("examples", "¿Cuándo depositan el sueldo?")
    tour.fill("counterexamples", "¿Cuánto cobran por el almuerzo?")
    tour.fill("group", "Personas")
    tour.shot("first-label")
    window.click(SUBMIT)
    tour.see(f"{MODAL} [data-block-id='label:nomina']")
    tour.shot("list")
    tour.close_all()

    reply = tour.say(FIRST)
    tour.shot("first-reply")
    window.click(f"{reply} [data-action-id={reply_blocks.FEEDBACK_ACTION}][data-value={reply_blocks.Thumb.DOWN}]")
    tour.see(f"{MODAL} .multi-open")
    tour.press(guide_blocks.GUIDE_BUTTON)
    tour.see(MODAL, "Sueldos, roles de pago")
    tour.shot("guide")
    window.click(CLOSE)
    window.click(f"{MODAL} .multi-open")
    window.press("Nómina", Keys.ENTER)
    tour.see(f"{MODAL} .chip")
    tour.shot("first-correction")
    window.press(Keys.ESCAPE)
    window.click(SUBMIT)
    tour.see(THREAD, "Nómina")
    tour.shot("corrected")
    tour.press(reply_blocks.WHY_ACTION, reply)
    why = f"const one = document.querySelector('{MODAL} .dialog-body'); return Boolean(one) && !one.innerText.includes('…')"
    window.until(lambda: window.script(why), "why", PATIENCE_S)
    tour.shot("why")
    tour.close_all()

    asyncio.run(write_others(town))
    window.write("/beto revisa")
    for number in range(10):
        window.until(lambda: window.script(f"return document.querySelector('{MODAL} .block.context')"), "a card", PATIENCE_S)
        if number in (0, 4):
            tour.shot(f"review-{number + 1}")
        card = window.see(MODAL)
        if any(word in card for word in PAY):
            window.click(f"{MODAL} .multi-open")
            window.press("Nómina", Keys.ENTER)
            window.press(Keys.ESCAPE)
        before = town.store.reviews.given("U0SIMUANA")
        window.click(SUBMIT)
        wait_until(lambda given=before: town.store.reviews.given("U0SIMUANA") > given, PATIENCE_S, "the next card")
    tour.see(MODAL, "10")
    tour.shot("review-done")
    tour.close_all()

    window.write("/beto reentrena")
    runs = town.store.runs
    wait_until(lambda: (run := runs.last()) is not None and run.over and is_told(town.store, run.id), 1800, "the report")
    last = runs.last()
    print(f"run {last and last.status}: {last and last.error}", flush=True)
    window.reload()
    tour.shot("retrained")
    status = window.message("@ana")
    window.click(f"{status} [data-testid=replies]")
    tour.see(f"{THREAD} [data-action-id={run_blocks.DETAILS_ACTION}]")
    tour.shot("report")
    live, promote = town.store.registry.live(), f"{THREAD} [data-action-id={run_blocks.PROMOTE_ACTION}]"
    if last is not None and last.version is not None and (live is None or live.number != last.version):
        window.click(promote)
        asked, sure = "return Boolean(document.querySelector('[data-testid=confirm-yes]'))", "[data-testid=confirm-yes]"
        window.until(lambda: window.script(asked) or is_live(town, last.version), "a question, or the promotion", PATIENCE_S)
        if window.script(asked):
            tour.shot("sure")
            window.click(sure)
        wait_until(lambda: is_live(town, last.version), PATIENCE_S, "the promotion")
    reply = tour.say("Mi sueldo de este mes llegó incompleto, ¿revisan el rol de pagos?")
    tour.shot("new-label")

    pay = Label(name="sueldos", title="Sueldos", title_en="Pay", emoji="", description="Lo mismo que Nómina.", group="Personas")
    town.store.labels.record(LabelEvent(kind="add", name="sueldos", label=pay, at=2 * 10**15, by="U0SIMULUIS"))
    window.write("/beto etiquetas")
    row = f"{MODAL} [data-block-id='label:sueldos']"
    tour.see(row)
    window.click(f"{row} [data-action-id={label_blocks.MENU}]")
    tour.shot("menu")
    window.click("[data-value='merge:sueldos']")
    tour.see(f"{MODAL} [data-block-id=labels] select")
    Select(window.ask("one", f"{MODAL} [data-block-id=labels] select")).select_by_index(1)
    tour.shot("merge")
    window.click(SUBMIT)
    tour.see(f"{MODAL} [data-block-id='label:nomina']")
    window.see_none(row)
    tour.shot("merged")
    blocks_of = "return [...document.querySelectorAll(arguments[0])].map((one) => one.closest('[data-block-id]').dataset.blockId)"
    newest = window.script(blocks_of, UNDO)[0]
    window.click(f"{MODAL} [data-block-id='{newest}'] [data-action-id={label_blocks.UNDO_BUTTON}]")
    tour.see(row)
    tour.shot("undone")
    tour.close_all()

    window.write("/beto etiquetas canal")
    tour.see(f"{MODAL} .multi-open")
    tour.shot("channel-labels")
    tour.close_all()
    window.write("/beto vuelve")
    tour.see("[data-ephemeral]")
    tour.shot("rolled-back")


def is_live(town: Town, version: int | None) -> bool:
    """Return whether this version answers."""
    live = town.store.registry.live()
    return live is not None and live.number == version


async def write_others(town: Town) -> None:
    """Colleagues write what is to be reviewed."""
    async with Person(town.url, "luis") as luis:
        for text in OTHERS:
            ts = await luis.message("reclamos", text)
            await luis.wait_for_reply("reclamos", ts, PATIENCE_S)


@contextmanager
def running(trained: Path | None, language: str) -> Iterator[tuple[Town, Window]]:
    """Run the product with a version of mini, trained here where none is given, and open a browser."""
    from model.labels import seed_taxonomy
    from model.learning import training
    from model.learning.dataset import seed_examples

    if (paths := installed()) is None:
        raise SystemExit("Chromium and its driver are needed: make system-packages")
    with tempfile.TemporaryDirectory(prefix="beto-tour-") as folder:
        home = Path(folder)
        if trained is None:
            data = seed_examples()
            trained = home / "trained"
            training.train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=trained, epochs=2)
        with (
            running_town(
                home / "town", f"sqlite:///{home / 'beto.db'}", trained, http=False, trainer=True, BETO_LANGUAGE=language
            ) as town,
            running_browser(*paths, home / "profile") as chrome,
        ):
            users = town.slack.workspace.users
            for user in list(users.values()):
                users[user.id] = replace(user, locale=LOCALES[language])
            window = Window(chrome, town.url)
            window.resize(WIDTHS[0], HEIGHT)
            chrome.set_script_timeout(PATIENCE_S)
            yield town, window


def main() -> None:
    """Write the pictures, and what axe-core finds serious."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", choices=("es", "en"), default="es")
    parser.add_argument("--trained", type=Path, help="the folder of a version of mini to begin with")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with running(given.trained, given.language) as (town, window):
        tour = Tour(window, town, given.folder, given.language)
        try:
            first_hour(tour)
        finally:
            print(json.dumps({"screens": tour.number, "serious": sorted(set(tour.serious))}, ensure_ascii=False, indent=1))


if __name__ == "__main__":
    main()
