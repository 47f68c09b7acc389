"""`beto simulator`: a Slack on this machine."""

import importlib.util
from pathlib import Path

import click


@click.command()
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
    require_simulator()
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


def require_simulator() -> None:
    """Raise StartRefused where the simulated Slack was left out, as in the images that serve a real one."""
    from bot.errors import StartRefused

    if importlib.util.find_spec("bot.simulator") is None:
        raise StartRefused("the simulated Slack is not part of this image; in the repository, `make demo` shows it")
