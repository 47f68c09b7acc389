"""The pictures of the documents, taken of the real page before the running product: `make pictures`.

`python -m tests.pictures thread report` takes only those that are named.
"""

import argparse
import asyncio
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from bot.local.demo import STORY
from bot.simulator.person import Person
from tests.journeys.browser import CHANNEL, THREAD, Window, installed, running_browser
from tests.learning.cheques import CORRECTED, EMOJI, train_beginner
from tests.outbox_rows import is_told
from tests.town import Town, running_town, wait_until, watch_channel

IMAGES = Path(__file__).parent.parent / "docs" / "images"
# Two pixels to one, so that the words stay sharp where a picture is shown smaller.
WIDTH, HEIGHT, SCALE = 1280, 800, 2
REPORT_HEIGHT = 1040  # the picture of a report and its scores, in one view
MOST_BYTES = 300_000
CUT, URGENT = STORY[0][1], STORY[2][1]  # the messages whose threads are shown


def main() -> None:
    """Write docs/images/thread.png, corrected.png and report.png, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=("thread", "corrected", "report", []), metavar="NAME")
    names = parser.parse_args().names or ["thread", "corrected", "report"]
    IMAGES.mkdir(parents=True, exist_ok=True)
    if names != ["report"]:
        with running() as (town, window):
            asyncio.run(tell_story(town))
            if "thread" in names:
                take_thread(window)
            if "corrected" in names:
                take_correction(window, town)
    if "report" in names:
        with running(beginner=True) as (town, window):
            asyncio.run(correct_forty(town))
            take_report(window, town)


@contextmanager
def running(*, beginner: bool = False) -> Iterator[tuple[Town, Window]]:
    """Train a version on the shipped messages, or a `beginner` on some of them, run the product with it, and open a browser."""
    from model.labels import seed_taxonomy
    from model.learning import training
    from model.learning.dataset import seed_examples

    if (paths := installed()) is None:
        raise SystemExit("Chromium and its driver are needed: make system-packages")
    with tempfile.TemporaryDirectory(prefix="beto-pictures-") as folder:
        home = Path(folder)
        data = seed_examples()
        print("training a version ...", flush=True)
        if beginner:
            train_beginner(home / "trained")
        else:
            training.train(data["train"], data["dev"], taxonomy=seed_taxonomy(), base="mini", out=home / "trained")
        with (
            running_town(home / "town", f"sqlite:///{home / 'beto.db'}", home / "trained", http=False, trainer=True) as town,
            running_browser(*paths, home / "profile") as chrome,
        ):
            window = Window(chrome, town.url)
            window.resize(WIDTH, HEIGHT, scale=SCALE)
            yield town, window


async def tell_story(town: Town) -> None:
    """Let people write the demo's messages in #atencion, each answered in its thread."""
    async with Person(town.url, "ana") as ana, Person(town.url, "luis") as luis, Person(town.url, "maria") as maria:
        people = {"ana": ana, "luis": luis, "maria": maria}
        await ana.invite("atencion", town.slack.workspace.bot_user_id)
        await watch_channel(ana, "atencion")
        for name, text in STORY:
            ts = await people[name].message("atencion", text)
            await people[name].wait_for_reply("atencion", ts, 30)


def take_thread(window: Window) -> None:
    """Take a channel with an open thread in which the labels of a message can be read."""
    window.open("luis", "atencion")
    window.labelled(window.message(URGENT))
    begin_with(window, f"{CHANNEL} [data-testid=message]", CUT)
    save(window, "thread")


def take_correction(window: Window, town: Town) -> None:
    """Take a thread whose labels were corrected by reactions: the reply says who said what."""

    def react(user: str, ts: str, name: str) -> None:
        async def act() -> None:
            async with Person(town.url, user) as person:
                await person.react("atencion", ts, name)

        asyncio.run(act())

    window.open("maria", "atencion")
    message = window.message(CUT)
    reply = window.labelled(message)
    react("luis", window.ask("one.dataset.ts", reply), "mega")
    window.see(THREAD, "lo añade @luis")
    react("ana", window.ask("one.dataset.ts", reply), "white_check_mark")
    window.see(THREAD, "confirmado por @ana")
    begin_with(window, f"{CHANNEL} [data-testid=message]", CUT)
    save(window, "corrected")


async def correct_forty(town: Town) -> None:
    """Let two people correct forty messages in #reclamos, and one of them ask for a retraining."""
    async with Person(town.url, "ana") as ana, Person(town.url, "luis") as luis:
        await ana.invite("reclamos", town.slack.workspace.bot_user_id)
        await watch_channel(ana, "reclamos")
        for number, text in enumerate(CORRECTED):
            ts = await luis.message("reclamos", text)
            reply = await luis.wait_for_reply("reclamos", ts, 30)
            await (ana, luis)[number % 2].react("reclamos", str(reply["ts"]), EMOJI)
        assert await ana.command("reclamos", "/beto", "reentrena")


def take_report(window: Window, town: Town) -> None:
    """Take the report of a retraining, with its chart, in the thread of its status."""
    print("retraining ...", flush=True)
    runs = town.store.runs
    wait_until(lambda: (run := runs.last()) is not None and run.over and is_told(town.store, run.id), 900, "the report")
    window.resize(WIDTH, REPORT_HEIGHT, scale=SCALE)
    window.open("ana", "reclamos")
    window.click(f"{window.message('Listo')} [data-testid=replies]")
    window.see(THREAD, "Veredicto")
    window.see(f"{THREAD} .data_visualization", "F1")
    begin_with(window, f"{THREAD} [data-testid=message]:has(.data_visualization)")
    save(window, "report")


def begin_with(window: Window, message: str, words: str = "") -> None:
    """Scroll so that the list begins with that message."""
    window.ask(
        "one.parentElement.scrollTop += one.getBoundingClientRect().top - one.parentElement.getBoundingClientRect().top",
        message,
        words,
    )


def save(window: Window, name: str) -> None:
    """Write what the window shows, without a pointer or a cursor, in few enough colours to stay small."""
    window.point(".brand")
    window.script("document.activeElement.blur()")
    window.see_none(".toast")
    path = IMAGES / f"{name}.png"
    with Image.open(io.BytesIO(window.chrome.get_screenshot_as_png())) as shot:
        shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}")
    print(f"docs/images/{path.name}: {size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
