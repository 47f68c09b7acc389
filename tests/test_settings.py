"""What stands in the environment and in `.env`, and what is said of it when it makes no sense."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bot.settings import SLACK_API_URL, BotSettings, misspelt, variables, wrong_settings
from worker.settings import WorkerSettings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the product, and no `.env` beside us."""
    import os

    for name in [*os.environ]:
        if name.startswith(("BETO_", "SLACK_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_is_one_machine_and_slack_itself() -> None:
    """The defaults are what a person with nothing but tokens needs."""
    settings = BotSettings()
    assert settings.slack_api_url == SLACK_API_URL
    assert not settings.is_local
    assert settings.language == "es"
    assert settings.store_url == f"sqlite:///{Path('~/.beto').expanduser() / 'beto.db'}"


def test_a_dotenv_file_beside_us_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cp .env.example .env` is the README's second step."""
    (tmp_path / ".env").write_text(
        "SLACK_BOT_TOKEN=xoxb-file\nBETO_LANGUAGE=en\nBETO_BASE=mini\nPOSTGRES_PASSWORD=x\n", encoding="utf-8"
    )
    monkeypatch.setenv("BETO_LANGUAGE", "es")
    settings = BotSettings()
    assert settings.slack_bot_token.get_secret_value() == "xoxb-file"
    assert (settings.language, settings.base) == ("es", "mini")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_url_as_everybody_writes_it_reaches_the_driver_that_we_ship(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosting companies hand out postgres://, which SQLAlchemy does not know."""
    monkeypatch.setenv("BETO_DATABASE_URL", f"{scheme}://u:p@h:5432/d?sslmode=require")
    assert BotSettings().store_url == "postgresql+psycopg://u:p@h:5432/d?sslmode=require"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:8765/api/", True),
        ("http://localhost:1/api/", True),
        ("http://[::1]:1/api/", True),
        ("https://slack.com/api/", False),
        ("https://127.0.0.1.example.com/api/", False),
        ("https://example.com/127.0.0.1/", False),
    ],
)
def test_only_loopback_counts_as_a_simulator(url: str, local: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies are left out for a simulator only; for the real Slack they may be the only way."""
    monkeypatch.setenv("SLACK_API_URL", url)
    assert BotSettings().is_local == local


def test_tokens_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings end up in logs and in bug reports."""
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        monkeypatch.setenv(name, "geheim")
    monkeypatch.setenv("BETO_DATABASE_URL", "postgresql://beto:geheim@h/d")
    monkeypatch.setenv("BETO_REDIS_URL", "redis://:geheim@h/0")
    assert "geheim" not in repr(BotSettings()) + str(BotSettings()) + repr(WorkerSettings())


@pytest.mark.parametrize(
    ("bot", "app", "secret", "socket_says", "http_says"),
    [
        (
            "",
            "",
            "",
            ["SLACK_BOT_TOKEN is miss", "SLACK_APP_TOKEN is miss"],
            ["SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"],
        ),
        (
            "xapp-1",
            "xoxb-1",
            "s",
            ["SLACK_BOT_TOKEN is no bot", "SLACK_APP_TOKEN is no app"],
            ["SLACK_BOT_TOKEN is no"],
        ),
        ("xoxb-1", "", "s", ["SLACK_APP_TOKEN is missing"], []),
        ("xoxb-1", "xapp-1", "", [], ["SLACK_SIGNING_SECRET is missing"]),
        ("xoxb-1", "xapp-1", "s", [], []),
    ],
    ids=["nothing", "exchanged", "no app token", "no secret", "all"],
)
def test_what_is_missing_is_named_for_the_mode_that_needs_it(
    bot: str, app: str, secret: str, socket_says: list[str], http_says: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exchanged tokens are the commonest mistake; a token that this mode does not need is nobody's business."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", bot)
    monkeypatch.setenv("SLACK_APP_TOKEN", app)
    monkeypatch.setenv("SLACK_SIGNING_SECRET", secret)
    for http, expected in ((False, socket_says), (True, http_says)):
        complaints = BotSettings().complaints(http=http)
        assert len(complaints) == len(expected)
        for complaint, beginning in zip(complaints, expected, strict=True):
            assert complaint.startswith(beginning)


@pytest.mark.parametrize(
    ("name", "value"),
    [("BETO_LANGUAGE", "fr"), ("BETO_DEVICE", "tpu"), ("BETO_CONCURRENCY", "0"), ("BETO_HEALTH_PORT", "70000")],
)
def test_a_value_that_makes_no_sense_is_refused_at_once(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not hours later, at the first use."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        BotSettings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BETO_JUDGES", "ana", "'ana' is no id"),
        ("BETO_JUDGES", "U0ANA,@luis", "'@luis' is no id"),
        ("BETO_EXPERTS", "<@U0ANA>", "'<@U0ANA>' is no id"),
        ("BETO_TRAINERS", "C0GENERAL", "'C0GENERAL' is no id"),
        ("BETO_RETRAIN_CHANNEL", "#general", "'#general' is no channel's id"),
        ("BETO_RETRAIN_CHANNEL", "U0ANA", "'U0ANA' is no channel's id"),
        ("BETO_PUBLIC_URL", "bot.example.com", "'bot.example.com' is not the address"),
        ("BETO_PUBLIC_URL", "https://bot.example.com/", "https://YOUR-HOST/slack/events"),
    ],
)
def test_a_name_where_an_id_belongs_is_refused_with_how_to_find_it(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's word counted, and nothing said so."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        BotSettings()
    (problem,) = wrong_settings(caught.value).items()
    assert (variables()[problem[0]], said in problem[1]) == (name, True)


def test_ids_of_people_groups_and_channels_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Slack gives them, with spaces where people put them."""
    monkeypatch.setenv("BETO_JUDGES", " U0ANA, W0LUIS ,S0EXPERTOS,")
    monkeypatch.setenv("BETO_RETRAIN_CHANNEL", "C0GENERAL")
    monkeypatch.setenv("BETO_PUBLIC_URL", "https://bot.example.com/slack/events")
    assert BotSettings().judge_ids == ("U0ANA", "W0LUIS", "S0EXPERTOS")


def test_what_looks_like_ours_and_is_not_is_named_with_the_likeliest_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the environment and in the file; other programs' SLACK_ variables are their own business."""
    (tmp_path / ".env").write_text("BETO_RETRAIN_CHANEL=C0GENERAL\nPOSTGRES_PASSWORD=x\n", encoding="utf-8")
    for name in ("BETO_CHANNLES", "SLACK_BOT_TOKN", "SLACK_WEBHOOK_URL", "BETO_HOME", "BETO_ENV_FILE", "SLACK_APP_TOKEN"):
        monkeypatch.setenv(name, "" if name == "BETO_ENV_FILE" else "x")
    monkeypatch.setenv("BETO_ENV_FILE", ".env")
    assert misspelt() == [
        "BETO_CHANNLES is no setting and changes nothing: docs/operations.md lists those that there are",
        "BETO_RETRAIN_CHANEL is no setting and changes nothing: is BETO_RETRAIN_CHANNEL meant?",
        "SLACK_BOT_TOKN is no setting and changes nothing: is SLACK_BOT_TOKEN meant?",
    ]
    monkeypatch.setenv("BETO_ENV_FILE", "")
    assert len(misspelt()) == 2


def test_a_label_is_preferred_for_one_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both lists it would follow the order of our code; what is named is told."""
    monkeypatch.setenv("BETO_PREFER_RECALL", "fraude, urgente,")
    monkeypatch.setenv("BETO_PREFER_PRECISION", "app")
    assert BotSettings().preferences == {"fraude": "recall", "urgente": "recall", "app": "precision"}
    monkeypatch.setenv("BETO_PREFER_PRECISION", "app,urgente")
    with pytest.raises(ValidationError) as refused:
        BotSettings()
    assert "BETO_PREFER_RECALL names urgente, too" in wrong_settings(refused.value)["prefer_precision"]
