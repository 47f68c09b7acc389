"""The README and .env.example say what the code does: people who follow them must not be led astray."""

import re
import tomllib
from pathlib import Path

import click
import pytest
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from bot.cli import beto
from bot.local import demo
from bot.settings import BotSettings

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def between(text: str, name: str) -> str:
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->", maxsplit=1)[0]


def variable(name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"BETO_{name.upper()}"


def settings_table() -> str:
    """The README's table, as it has to be."""
    rows = ["| variable | default | |", "| --- | --- | --- |"]
    for name, field in BotSettings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""
        rows.append(f"| `{variable(name, field)}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def test_the_story_in_the_readme_is_the_one_that_the_demo_tells(readme: str) -> None:
    """The first thing that people compare."""
    told = re.findall(r"^> \*\*(\w+)\*\* (.+)$", between(readme, "story"), re.MULTILINE)
    assert told == list(demo.STORY)


def test_the_table_of_settings_is_complete_and_true(readme: str) -> None:
    """A variable that is documented nowhere does not exist for people."""
    assert between(readme, "settings") == settings_table(), f"put this into README.md:\n{settings_table()}"


def test_every_setting_is_described() -> None:
    """The table and the code say it in the same words."""
    for name, field in BotSettings.model_fields.items():
        assert field.description, name


def test_the_example_environment_names_only_what_is_read_and_shows_true_defaults() -> None:
    """Whoever copies it must not set something that nobody looks at."""
    fields = {variable(name, field): field for name, field in BotSettings.model_fields.items()}
    lines = re.findall(r"^(#?)([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for _, name, _ in lines} <= {*fields, "POSTGRES_PASSWORD"}
    assert {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "POSTGRES_PASSWORD"} <= {name for _, name, _ in lines}
    for commented, name, value in lines:
        if not commented:
            assert value == "", f"{name}: an example must not look like a token"
        elif name in ("BETO_HOME", "BETO_BASE", "BETO_LANGUAGE"):
            assert value == str(fields[name].default)


def commands(group: click.Group, before: str = "") -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}
    for name, each in group.commands.items():
        words = f"{before}{name}"
        found |= commands(each, f"{words} ") if isinstance(each, click.Group) else {words: each}
    return found


def documented(readme: str) -> str:
    return readme.split("## On the command line")[1].split("```")[1]


def test_every_command_is_in_the_readme_and_every_one_there_exists(readme: str) -> None:
    """Neither a secret command nor a promised one."""
    named: set[str] = set()
    for line in documented(readme).strip().splitlines():
        # `beto a | b`, `beto group a | b [--json]` and `beto a FILE | beto b FILE`.
        form = re.split(r"\s{2,}", line)[0]
        group = re.match(r"beto ([a-z]+) [a-z]+", form)
        for at, one in enumerate(form.split(" | ")):
            words = re.match(r"(?:beto )?([a-z]+(?: [a-z]+)?)", one)
            assert words is not None, line
            named.add(f"{group[1]} {words[1]}" if group is not None and at > 0 else words[1])
    assert named == set(commands(beto))


def test_every_option_in_the_readme_exists(readme: str) -> None:
    """Copied from the README, it has to work."""
    every = commands(beto)
    for line in documented(readme).strip().splitlines():
        options = set(re.findall(r"--[a-z-]+", line))
        known = {
            option
            for words, each in every.items()
            if re.search(rf"\b{words}\b", line)
            for parameter in each.params
            for option in parameter.opts
        }
        assert options <= known, line


def test_every_file_that_the_readme_points_to_exists(readme: str) -> None:
    """A link to nowhere costs trust."""
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_the_commands_of_the_readme_are_targets_of_the_makefile(readme: str) -> None:
    """`make demo` and `make test` are all that a stranger types."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE)) <= targets


def test_what_people_read_in_slack_is_there_in_both_languages_with_the_same_gaps() -> None:
    """A sentence that is missing in one language would be a crash for those who chose it."""
    spanish, english = (
        tomllib.loads((ROOT / "bot" / "views" / "locales" / f"{language}.toml").read_text(encoding="utf-8"))
        for language in ("es", "en")
    )
    gaps = [
        {(group, key): set(re.findall(r"{(\w+)", text)) for group, keys in language.items() for key, text in keys.items()}
        for language in (spanish, english)
    ]
    assert gaps[0] == gaps[1]
