"""The `beto` command. Every command imports what it needs when it runs, so that help and small processes stay small."""

import errno
import importlib.util
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.local.slack_cli import Hook
    from model.labels import Taxonomy
    from model.settings import ModelSettings
    from model.store.store import Store

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=CONTEXT)
def beto() -> None:
    """Run a Spanish text classifier that lives in a Slack workspace and learns from its corrections.

    Start with `beto demo`, which needs no Slack and no account.
    """


@beto.command()
@click.option("--exit", "leave", is_flag=True, help="End after the story instead of staying until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the chat page (default 8765, or a free one).")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
def demo(leave: bool, port: int | None, base: str) -> None:
    """Show the whole way on this machine, with a simulated Slack and a chat page in the browser."""
    _require_simulator()
    from bot.local import demo as showing

    sys.exit(showing.run(leave=leave or not sys.stdout.isatty(), port=port, base=base))


@beto.command()
@click.option("--http", metavar="URL", default="", help="https://HOST/slack/events, for HTTP instead of Socket Mode.")
@click.option("--without", "without", multiple=True, metavar="SCOPE", help="Leave out an optional scope; may be repeated.")
@click.option("--link", "as_link", is_flag=True, help="Print the address at which Slack makes an app of it.")
def manifest(http: str, without: tuple[str, ...], as_link: bool) -> None:
    """Print the Slack app's manifest, or the link that makes an app of it."""
    from bot.local.manifest import link, read_manifest

    made = read_manifest(http=http, without=without)
    click.echo(link(made) if as_link else json.dumps(made, indent=2, ensure_ascii=False))


@beto.command()
@click.option("--http", metavar="URL", default="", help="https://HOST/slack/events, for HTTP instead of Socket Mode.")
@click.option("--bot-token", envvar="SLACK_BOT_TOKEN", help="Not to be asked; in SLACK_BOT_TOKEN no list of processes shows it.")
@click.option("--app-token", envvar="SLACK_APP_TOKEN", help="Likewise, SLACK_APP_TOKEN.")
@click.option("--signing-secret", envvar="SLACK_SIGNING_SECRET", help="Likewise, SLACK_SIGNING_SECRET; for HTTP.")
@click.option("--language", type=click.Choice(["es", "en"]), help="Of the questions, and of the bot in Slack.")
def setup(http: str, bot_token: str | None, app_token: str | None, signing_secret: str | None, language: str | None) -> None:
    """Ask for the Slack tokens, try each at once, and write them into .env."""
    import os

    from bot.local.setup import run
    from model.settings import ENV_FILE, env_file

    file = env_file()
    if file is None:
        raise click.UsageError(f"{ENV_FILE} is empty: there is no file to write into")
    given = {
        "SLACK_BOT_TOKEN": bot_token,
        "SLACK_APP_TOKEN": app_token,
        "SLACK_SIGNING_SECRET": signing_secret,
        "SLACK_API_URL": os.environ.get("SLACK_API_URL"),
    }
    asks = sys.stdin.isatty()
    run(
        {name: value for name, value in given.items() if value},
        http=http,
        language=language or "",
        file=Path(file),
        asks=asks,
    )


@beto.command("slack-hook")
@click.argument("hook", type=click.Choice(["get-hooks", "get-manifest", "start"]))
@click.option("--protocol", expose_value=False, help="Of Slack's command line, which gives it.")
@click.option("--boundary", default="", help="Likewise.")
def slack_hook(hook: "Hook", boundary: str) -> None:
    """Answer Slack's own command line, which calls this for `slack run`."""
    from bot.local.slack_cli import answer

    sys.exit(answer(hook, boundary=boundary))


@beto.command()
@click.option("--http", is_flag=True, help="Receive signed HTTP requests instead of Socket Mode.")
def up(http: bool) -> None:
    """Run all processes on this machine, with real Slack tokens."""
    from bot.local import up as machine

    sys.exit(machine.run(http=http))


@beto.command()
@click.option("--http", is_flag=True, help="Receive signed HTTP requests instead of Socket Mode.")
def bot(http: bool) -> None:
    """Hear Slack: save each message and enqueue its classification."""
    from bot.slack.app import run_bot

    run_bot(http=http)


@beto.command()
def replies() -> None:
    """Post and redraw the replies in the threads."""
    from bot.outbox.process import run_replies

    run_replies()


@beto.command()
def worker() -> None:
    """Host the live version and classify what is queued."""
    from worker.inference import run_worker

    run_worker()


@beto.command()
def trainer() -> None:
    """Train versions, one at a time; the first one by itself."""
    from worker.trainer import run_trainer

    run_trainer()


@beto.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: a free one.")
@click.option(
    "--events",
    "events_urls",
    multiple=True,
    help="Send signed HTTP events here instead of using Socket Mode; the n-th is that of the n-th --manifest.",
)
@click.option(
    "--manifest",
    "manifests",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="The app's manifest, in JSON; once for each app of the workspace.",
)
@click.option("--rate-limits/--no-rate-limits", default=True, show_default=True, help="Answer 429 as Slack does.")
@click.option(
    "--clock-scale", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="0.01: a minute takes 0.6 s."
)
@click.option(
    "--tls",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Speak TLS with apps, and write the certificate that they have to trust to this file.",
)
@click.option("--rtt-ms", type=click.FloatRange(0), default=0.0, show_default=True, help="What a round trip takes for an app.")
def simulator(
    host: str,
    port: int,
    events_urls: tuple[str, ...],
    manifests: tuple[Path, ...],
    rate_limits: bool,
    clock_scale: float,
    tls: Path | None,
    rtt_ms: float,
) -> None:
    """Run a Slack that fits on this machine, for trying out any Bolt app."""
    _require_simulator()
    import asyncio
    import itertools

    from bot.simulator import server
    from bot.simulator.line import Line

    try:
        apps = [server.read_manifest(one) for one in manifests or (server.MANIFEST,)]
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if len(events_urls) > len(apps):
        raise click.BadParameter(f"{len(events_urls)} --events, but {len(apps)} --manifest: each app has one address")
    (first, url), *more = itertools.zip_longest(apps, events_urls)
    line = Line(authority=tls, rtt_s=rtt_ms / 1000) if tls is not None or rtt_ms else None
    try:
        asyncio.run(server.run(host, port, first, url, *more, rate_limits=rate_limits, clock_scale=clock_scale, line=line))
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@beto.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="JSONL or CSV of labelled messages.")
@click.option("--dev", type=click.Path(path_type=Path), help="Messages to stop early on; default: a tenth of --data.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The new version's folder.")
@click.option("--base", default=None, help="e5, mini, a folder or a hub name; default BETO_BASE.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, last on standard output.")
def train(data: Path, dev: Path | None, out: Path, base: str | None, seed: int, as_json: bool) -> None:
    """Fine-tune a version on a file of labelled messages."""
    from model.errors import BadData
    from model.labels import Taxonomy, seed_taxonomy
    from model.learning import training
    from model.learning.dataset import read_examples, split_for_dev
    from model.learning.distributed import DistributedContext
    from model.learning.evaluation import table
    from model.serving.version_folder import preferred
    from model.settings import ModelSettings
    from model.store.label_book import preference_complaints

    settings = ModelSettings()
    examples = read_examples(data)
    training_set, dev_set = split_for_dev(examples) if dev is None else (examples, read_examples(dev))
    names = sorted({label for example in [*training_set, *dev_set] for label in example.labels})
    if len(names) < 2:
        raise BadData(f"{data}: {'there is one label' if names else 'there is no label'} in it; at least two are needed")
    for alike in _alike(names):
        click.echo(f"beto: labels that differ only in accents or case are trained apart: {', '.join(alike)}", err=True)
    ours = seed_taxonomy()
    taxonomy = ours if all(name in ours for name in names) else Taxonomy.from_names(names)
    for sentence in preference_complaints(taxonomy, settings.preferences):
        click.echo(f"beto: warning: {sentence}", err=True)
    taxonomy = taxonomy.with_preferences(settings.preferences)
    with click.progressbar(length=1000, label="fine-tuning", file=sys.stderr) as bar:
        card = training.train(
            training_set,
            dev_set,
            taxonomy=taxonomy,
            base=base or settings.base,
            out=out,
            seed=seed,
            device=settings.device,
            home=settings.home_folder,
            within_s=60 * settings.train_within_min or None,
            on_progress=lambda progress: bar.update(max(0, int(1000 * progress.share) - bar.pos)),
        )
    if not DistributedContext().is_rank_zero:
        return
    if as_json:
        click.echo(card.model_dump_json())
    else:
        click.echo(table({card.base: card.scores["dev"], "baseline": card.baseline["dev"]}))
        for line in preferred(card):
            click.echo(f"preferred, and not in the scores above: {line}")
        click.echo(f"saved in {out}")


def _alike(names: Sequence[str]) -> list[list[str]]:
    """Return the groups of names that only accents or case tell apart."""
    groups: dict[str, list[str]] = {}
    for name in names:
        decomposed = unicodedata.normalize("NFD", name.casefold())
        groups.setdefault("".join(char for char in decomposed if not unicodedata.combining(char)), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


@beto.command()
@click.option("--model", type=click.Path(path_type=Path), required=True, help="A version's folder.")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="JSONL or CSV of labelled messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, last on standard output.")
def evaluate(model: Path, data: Path, as_json: bool) -> None:
    """Score a version on labelled messages, beside the baseline, and tell how often a label is right by what is shown."""
    import numpy as np

    from model.errors import BadData
    from model.labels import Taxonomy
    from model.learning.baseline import load_baseline, truth_of
    from model.learning.dataset import read_examples
    from model.learning.evaluation import band_table, bands, expected_calibration_error, score, table
    from model.serving.classifier import load
    from model.settings import ModelSettings

    classifier = load(model, device=ModelSettings().device)
    examples = read_examples(data, Taxonomy.from_names(classifier.labels))
    if not examples:
        raise BadData(f"{data}: there is no message in it to evaluate on")
    texts, gold = [example.text for example in examples], [example.labels for example in examples]
    predictions = classifier.predict(texts)
    scores = np.array([[prediction.scores[label] for label in classifier.labels] for prediction in predictions])
    answers = truth_of(examples, classifier.labels)
    network = score(gold, [prediction.labels for prediction in predictions], classifier.labels)
    network = network.model_copy(update={"ece": expected_calibration_error(scores, *answers)})
    baseline = score(gold, load_baseline(model).predict(texts), classifier.labels)
    shown = bands(scores, *answers)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "base": classifier.card.base,
                    "version": classifier.card.version,
                    **network.model_dump(),
                    "bands": [band.model_dump() for band in shown],
                    "baseline": baseline.model_dump(),
                }
            )
        )
    else:
        click.echo(table({classifier.card.base: network, "baseline": baseline}))
        click.echo(f"\n{band_table(shown)}")


@beto.command()
@click.option("--model", type=click.Path(path_type=Path), help="A version's folder; default: the live version.")
@click.option("--json/--text", "as_json", default=True, show_default=True, help="A JSON line for each, or a line to read.")
@click.argument("texts", nargs=-1)
def predict(model: Path | None, as_json: bool, texts: tuple[str, ...]) -> None:
    """Label TEXTS, or lines of standard input: a line of output for each."""
    from model.serving.classifier import load
    from model.settings import ModelSettings

    settings = ModelSettings()
    if model is not None:
        classifier = load(model, device=settings.device)
    else:
        folder, taxonomy = _live_folder(settings)
        classifier = load(folder, device=settings.device)
        classifier = classifier.preferring(taxonomy.preferences(classifier.labels))
    batch: list[str] = []

    def answer() -> None:
        for text, prediction in zip(batch, classifier.predict(batch), strict=True):
            scores = {name: round(probability, 4) for name, probability in prediction.scores.items()}
            if as_json:
                click.echo(json.dumps({"text": text, **prediction.model_dump(mode="json"), "scores": scores}, ensure_ascii=False))
            else:
                labels = ", ".join(f"{name} {scores[name]:.0%}" for name in prediction.labels)
                click.echo(f"{labels or '-'}\t{' '.join(text.split())}")
        batch.clear()

    for line in texts or _lines_of_standard_input():
        batch.append(line)
        if len(batch) == 256:
            answer()
    if batch:
        answer()


def _lines_of_standard_input() -> Iterator[str]:
    """Yield each line; what is odd about one is told on standard error, and answered all the same: line N answers line N."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            # A bad line gets a poor answer, the others a good one.
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            click.echo(f"beto: line {number} is not UTF-8: what could not be read became \ufffd", err=True)
        if not text.strip():
            click.echo(f"beto: line {number} is empty: its answer means nothing", err=True)
        yield text


def _live_folder(settings: "ModelSettings") -> tuple[Path, "Taxonomy"]:
    """Return the folder of the live version, and the labels of today; BrokenVersion where none is live."""
    from model.errors import BrokenVersion
    from model.store.store import Store

    store = Store(settings.store_url, settings.home_folder, preferences=settings.preferences)
    store.migrate()
    live, taxonomy = store.registry.live(), store.labels.current()
    store.close()
    if live is None:
        raise BrokenVersion("no version is live: name a version's folder by --model, or train one by `beto up` or `beto demo`")
    return live.folder, taxonomy


@beto.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_(file: Path) -> None:
    """Take labelled messages in from FILE (JSONL or CSV; `-`: standard input).

    A line with the id of a message that we know, and with somebody in `by`, is that person's word on that message.
    """
    from bot.local.transfer import import_file
    from bot.settings import BotSettings

    click.echo(import_file(BotSettings(), file))


@beto.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--corrections", is_flag=True, help="Only messages where people said otherwise than the network.")
@click.option("--pseudonyms", is_flag=True, help="Name people by a keyed hash instead of their Slack id.")
def export(file: Path, corrections: bool, pseudonyms: bool) -> None:
    """Write the labelled messages, judged and imported, to FILE (JSONL or CSV; `-`: JSONL to standard output)."""
    from bot.local.transfer import export_file
    from bot.settings import BotSettings

    said = export_file(BotSettings(), file, corrections=corrections, pseudonyms=pseudonyms)
    click.echo(said, err=str(file) == "-")


@beto.group(invoke_without_command=True)
@click.pass_context
def labels(context: click.Context) -> None:
    """List the labels, or change them by a file."""
    if context.invoked_subcommand is None:
        _with_labels(lambda commands, store: commands.table(store))


@labels.command("export")
@click.argument("file", type=click.Path(path_type=Path))
def export_labels(file: Path) -> None:
    """Write the labels to FILE as YAML (`-`: standard output)."""
    _with_labels(lambda commands, store: commands.export_file(store, file), err=str(file) == "-")


@labels.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
def import_labels(file: Path, dry_run: bool) -> None:
    """Make the labels those of FILE (YAML; `-`: standard input): the missing are retired, the new are added."""
    _with_labels(lambda commands, store: commands.import_file(store, file, dry=dry_run))


@labels.command("history")
def label_history() -> None:
    """List what was changed, with the numbers by which it can be undone."""
    _with_labels(lambda commands, store: commands.history(store))


@labels.command("undo")
@click.argument("number", type=int)
def undo_label_change(number: int) -> None:
    """Undo change NUMBER, and bring back what was said of its label."""
    _with_labels(lambda commands, store: commands.undo(store, number))


def _with_labels(run: Callable[[ModuleType, "Store"], str], *, err: bool = False) -> None:
    from bot.local import labels as commands
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    try:
        store.migrate()
        click.echo(run(commands, store), err=err)
    finally:
        store.close()


@beto.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write all that must last to FILE: database, versions, settings without secrets. Everything goes on running."""
    from bot.local.backup import back_up
    from bot.settings import BotSettings

    click.echo(back_up(BotSettings(), file))


@beto.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Put the backup FILE into BETO_HOME and the database of BETO_DATABASE_URL, both of which must be empty.

    The database may be of another kind than the one of the backup.
    """
    from bot.local.restore import restore as into
    from bot.settings import BotSettings

    click.echo(into(BotSettings(), file))


@beto.command()
@click.argument("file", type=click.Path(path_type=Path))
def verify(file: Path) -> None:
    """Read every byte of FILE, a backup or an exported version, and say what is in it and whether it is as it was written."""
    from bot.local.backup import verify as examine

    click.echo(examine(file))


@beto.command("copy-database")
@click.argument("source")
def copy_database(source: str) -> None:
    """Copy all rows of SOURCE, a SQLite file or a URL, into the empty database that BETO_DATABASE_URL names, and compare.

    This is the way from SQLite to PostgreSQL. Stop all processes first; BETO_HOME stays as it is.
    """
    from bot.local.restore import copy_database as copy
    from bot.settings import BotSettings

    click.echo(copy(BotSettings(), source))


@beto.command()
@click.argument("release")
def downgrade(release: str) -> None:
    """Bring the database back to what an older RELEASE of the bot reads, such as 0.1.0, with all that it can hold.

    Stop all processes first, and make a backup. Then install that release and start it; a later upgrade goes forward again.
    """
    from bot.local.downgrade import downgrade as bring_back
    from bot.settings import BotSettings

    click.echo(bring_back(BotSettings(), release))


@beto.group(invoke_without_command=True)
@click.pass_context
def versions(context: click.Context) -> None:
    """List the versions that are kept, and which of them is live; export one, or import one from elsewhere."""
    if context.invoked_subcommand is None:
        _list_versions()


@versions.command("export")
@click.argument("number", type=int)
@click.argument("file")
def export_version(number: int, file: str) -> None:
    """Write version NUMBER to FILE, or to hf://OWNER/REPOSITORY/FILE on a model hub, and print its SHA-256."""
    from bot.local.version_transfer import export_version as write
    from model.settings import ModelSettings

    click.echo(write(ModelSettings(), number, file))


@versions.command("import")
@click.argument("file")
def import_version(file: str) -> None:
    """Add the version in FILE, or at hf://OWNER/REPOSITORY/FILE, under the next number; `beto rollback NUMBER` lets it answer."""
    from bot.local.version_transfer import import_version as read
    from model.settings import ModelSettings

    click.echo(read(ModelSettings(), file))


def _list_versions() -> None:
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    registry = store.registry
    live = registry.live()
    kept = registry.all()
    if not kept:
        click.echo("no versions yet: `beto up` or `beto demo` trains the first", err=True)
    for version in kept:
        scores = version.card.scores.get("test") or version.card.scores["dev"]
        mark = "live" if live is not None and live.number == version.number else ""
        click.echo(
            f"{version.number:>4}  {mark:<4}  {version.created_at:%Y-%m-%d %H:%M} UTC  {version.card.base}  "
            f"micro-F1 {scores.micro_f1:.3f}  macro-F1 {scores.macro_f1:.3f}  {version.folder}"
        )
    store.close()


@beto.command()
@click.argument("number", type=int, required=False)
def rollback(number: int | None) -> None:
    """Let version NUMBER answer, or the one that was live before."""
    from model.errors import BrokenVersion
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    registry = store.registry
    version = registry.before_live() if number is None else registry.get(number)
    if version is None:
        raise BrokenVersion("there is no earlier version to go back to" if number is None else f"there is no version {number}")
    registry.promote(version.number, by="command line", reason="beto rollback")
    click.echo(f"version {version.number} ({version.card.base}) is live; workers take it up within 5 seconds")
    store.close()


@beto.command()
@click.option("--http", is_flag=True, help="Slack is to be heard by signed HTTP requests instead of Socket Mode.")
@click.option("--screens", is_flag=True, help="Ask Slack about every screen, too: would it take what people are to see?")
@click.option("--speed", is_flag=True, help="Measure instead how fast this machine labels with the live version.")
def doctor(http: bool, screens: bool, speed: bool) -> None:
    """Check tokens, scopes, Redis, database, model, device and proxies: what works, and what to do."""
    if speed:
        from bot.local.speed import measure

        click.echo(measure())
        return
    from bot.local.doctor import examine

    sys.exit(examine(http=http, screens=screens))


@beto.command()
@click.option("--messages-a-day", type=click.IntRange(0), required=True, help="That the bot is asked to label.")
@click.option("--days", type=click.IntRange(1), default=365, show_default=True, help="After how many.")
@click.option("--labels", "count", type=click.IntRange(1, 500), help="How many; default: those of a bank that are shipped.")
@click.option(
    "--judged-percent", type=click.FloatRange(0), default=10.0, show_default=True, help="Judgements a hundred messages."
)
@click.option("--text-bytes", type=click.IntRange(1), default=98, show_default=True, help="Of a message, on average.")
@click.option("--keep-days", type=click.IntRange(0), help="Of a text that nobody corrected; default: BETO_RETENTION_DAYS.")
@click.option("--keep-judged-days", type=click.IntRange(0), help="Of one that somebody did: BETO_RETENTION_CORRECTED_DAYS.")
@click.option("--keep-messages-days", type=click.IntRange(0), help="Of a message: BETO_RETENTION_MESSAGES_DAYS.")
def size(
    messages_a_day: int,
    days: int,
    count: int | None,
    judged_percent: float,
    text_bytes: int,
    keep_days: int | None,
    keep_judged_days: int | None,
    keep_messages_days: int | None,
) -> None:
    """Say how large the database will be, on SQLite and on PostgreSQL, before there is one."""
    from bot.local.size import Kept, told
    from model.labels import seed_taxonomy
    from model.settings import ModelSettings

    names, settings = seed_taxonomy().names, ModelSettings()
    kept = Kept(
        settings.retention_days if keep_days is None else keep_days,
        settings.retention_corrected_days if keep_judged_days is None else keep_judged_days,
        settings.retention_messages_days if keep_messages_days is None else keep_messages_days,
    )
    click.echo(
        told(
            messages_a_day=messages_a_day,
            days=days,
            judged_percent=judged_percent,
            labels=names if count is None else [f"{names[n % len(names)]}{n // len(names) or ''}" for n in range(count)],
            text_bytes=text_bytes,
            kept=kept,
            versions=settings.keep_versions,
        )
    )


def _require_simulator() -> None:
    """Raise StartRefused where the simulated Slack was left out, as in the images that serve a real one."""
    from bot.errors import StartRefused

    if importlib.util.find_spec("bot.simulator") is None:
        raise StartRefused("the simulated Slack is not part of this image; in the repository, `make demo` shows it")


def main() -> None:
    """Run the command line: errors that we know become one sentence and status 1, all others keep their traceback."""
    from pydantic import ValidationError

    from bot.errors import BotError
    from model.errors import ModelError

    try:
        beto()
    except (BotError, ModelError) as error:
        click.echo(f"beto: {error}", err=True)
        sys.exit(1)
    except ValidationError as error:
        from bot.settings import variables, wrong_settings

        for setting, problem in wrong_settings(error).items():
            click.echo(f"beto: {variables().get(setting, setting)}: {problem}", err=True)
        sys.exit(1)
    except OSError as error:
        # A file or an address that the operator named, or left to the default; whatever has none of both is a fault of ours.
        if error.filename is None and error.errno != errno.EADDRINUSE:
            raise
        click.echo(f"beto: {error.strerror}{'' if error.filename is None else f': {error.filename}'}", err=True)
        sys.exit(1)
