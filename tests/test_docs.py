"""The documents say what the code does: people who follow them must not be led astray."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import emoji
import grimp
import pytest
import yaml
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from bot.cli import beto
from bot.local import demo
from bot.outbox.states import diagram
from bot.settings import BotSettings
from bot.slack.listeners.commands import WORDS
from model.labels import seed_taxonomy
from tests.bench.__main__ import bench

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.es.md")
# What tells of today. The changelog tells of other days, too.
TODAY = (*READMES, "CONTRIBUTING.md", "SECURITY.md", "bot/simulator/README.md", "model/seed/DATASHEET.md")
PAGES = sorted([*TODAY, *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
# Variables that others read than our settings: Compose, `.ci/audit`, the model hub's client, and tests of what is not ours.
ELSEWHERE = {
    "BETO_ENV_FILE", "POSTGRES_PASSWORD", "AUDIT_URL", "HF_ENDPOINT", "HF_TOKEN",
    "BETO_SLACK_REFERENCE", "BETO_SLACK_SAMPLES", "BETO_VOCABULARY", "BETO_CHAOS_WITHOUT_ALL",
}  # fmt: skip


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def between(text: str, name: str) -> str:
    return text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->", maxsplit=1)[0]


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks in one of these languages, without their indent; "" is a block that names none."""
    found = re.findall(r"^( *)```([\w-]*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, language, block in found if language in languages]


def spans(text: str) -> list[str]:
    """What stands between backticks in a sentence, also over the end of a line."""
    prose = re.sub(r"^( *)```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", prose)]


def command_lines(page: str) -> Iterator[str]:
    """Every line of a shell block, and every span that is a command of ours, without the environment's folder."""
    text = read(page)
    lines = [line for block in blocks(text, "", "sh", "console") for line in block.splitlines()]
    # A drawing is a block without a language, too: a command begins a line, and with a program's name.
    lines = [re.sub(r" {2,}.*", "", line.strip()) for line in lines if re.match(r"[\w./-]+( |$)", line)]
    lines += [span for span in spans(text) if re.match(r"(\.venv/bin/)?(beto|make|python -m tests\.bench|torchrun) ", span)]
    for line in lines:
        yield line.removeprefix(".venv/bin/")


def resolve(group: click.Group, words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and what is left of them."""
    command: click.Command = group
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


def check_options(group: click.Group, words: list[str]) -> None:
    command, rest = resolve(group, words)
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word for word in rest if word.startswith("--")} <= known


def check_make(words: list[str]) -> None:
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for word in words:
        variable, is_set, _ = word.partition("=")
        assert f"$({variable})" in makefile or f"$(if $({variable})" in makefile if is_set else word in targets, word


def variable(name: str, field: FieldInfo) -> str:
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"BETO_{name.upper()}"


def settings_table() -> str:
    """The table of settings as it has to be."""
    rows = ["| variable | default | |", "| --- | --- | --- |"]
    for name, field in BotSettings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""
        rows.append(f"| `{variable(name, field)}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("page", READMES)
def test_the_readme_is_read_in_two_minutes(page: str) -> None:
    """Whoever decides whether to try it reads no more than this."""
    assert len(read(page).splitlines()) <= 150


@pytest.mark.parametrize("page", READMES)
def test_the_story_in_the_readme_is_the_one_that_the_demo_tells_with_labels_that_exist(page: str) -> None:
    """The first thing that people compare."""
    story = between(read(page), "story")
    assert re.findall(r"^> \*\*(\w+)\*\* (.+)<br>$", story, re.MULTILINE) == list(demo.STORY)
    answers = re.findall(r"^> ↳ (.+)$", story, re.MULTILINE)
    assert len(answers) == len(demo.STORY)
    titles = {f"{emoji.emojize(f':{label.emoji}:', language='alias')} {label.title}" for label in seed_taxonomy()}
    assert {part for answer in answers for part in answer.split(" · ")} <= titles | {"*Ninguna etiqueta segura*"}


def test_both_readmes_have_the_same_commands_links_and_parts() -> None:
    """Whoever reads Spanish gets no less."""
    english, spanish = map(read, READMES)

    def shape(text: str) -> list[object]:
        links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if link not in READMES]
        return [blocks(text, ""), sorted(links), re.findall(r"^#+", text, re.MULTILINE), text.count("\n|")]

    assert shape(english) == shape(spanish)


def test_the_table_of_settings_is_complete_and_true() -> None:
    """A variable that is documented nowhere does not exist for people."""
    table = between(read("docs/operations.md"), "settings")
    assert table == settings_table(), f"put this into docs/operations.md:\n{settings_table()}"


def test_every_setting_is_described() -> None:
    """The table and the code say it in the same words."""
    for name, field in BotSettings.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_that_a_document_names_exists(page: str) -> None:
    """Who sets a variable that nobody reads looks for the fault everywhere else."""
    known = {variable(name, field) for name, field in BotSettings.model_fields.items()} | ELSEWHERE
    named = set(re.findall(r"\b(?:BETO|SLACK|POSTGRES|AUDIT|HF)_[A-Z_]+\b", read(page)))
    assert named <= known


def test_the_example_environment_names_only_what_is_read_and_shows_true_defaults() -> None:
    """Whoever copies it must not set something that nobody looks at."""
    fields = {variable(name, field): field for name, field in BotSettings.model_fields.items()}
    lines = re.findall(r"^(#?)([A-Z_]+)=(.*)$", read(".env.example"), re.MULTILINE)
    assert {name for _, name, _ in lines} <= {*fields, "POSTGRES_PASSWORD"}
    assert {"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "POSTGRES_PASSWORD"} <= {name for _, name, _ in lines}
    for commented, name, value in lines:
        if not commented:
            assert value == "", f"{name}: an example must not look like a token"
        elif name in ("BETO_HOME", "BETO_BASE", "BETO_LANGUAGE"):
            assert value == str(fields[name].default)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_document_exists_with_its_options(page: str) -> None:
    """Copied from a document, it has to work."""
    for line in command_lines(page):
        program, *words = shlex.split(line.split(" #", maxsplit=1)[0])
        if words[:1] and re.fullmatch(r"[A-Z]+", words[0]):  # `beto NAME`: all of them are meant
            continue
        match program:
            case "beto":
                check_options(beto, words)
            case "make":
                check_make(words)
            case "python" if words[:2] == ["-m", "tests.bench"]:
                if words[2:] != ["NAME"]:
                    check_options(bench, words[2:])
            case "torchrun":
                check_options(beto, words[words.index("bot") + 1 :])
            case "cp":
                assert (ROOT / words[0]).exists(), line
            case "useradd" | "chown" | "systemctl" | "journalctl":
                assert "beto" in " ".join(words), line
            case "kubectl" if "apply" in words:
                assert (ROOT / words[-1] / "kustomization.yaml").exists(), line
            case "kubectl":  # what the objects name
                made = [words[at + 2] for at, word in enumerate(words) if word == "create" and words[at + 1] == "namespace"]
                made += [words[words.index("generic") + 1]] if "generic" in words else []
                objects = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "deploy" / "kubernetes").rglob("*.yaml"))
                assert made, line
                assert all(f"name: {name}" in objects for name in made), line
            case "pip":
                extras = re.findall(r"\.\[([\w,]+)\]", line)
                known = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
                assert {extra for each in extras for extra in each.split(",")} <= set(known), line
            case _:
                assert line == "python3 -m venv .venv" or program == "docker", f"nobody tests this: {line}"


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/benchmarks.md"])
def test_click_takes_every_command_line_of_a_block(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that exists may still want another kind of value."""
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(read(page), "") for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line)
        group, words = (beto, words[1:]) if words[0] == "beto" else (bench, words[3:])
        command, rest = resolve(group, words)
        command.make_context(line, rest)  # parses, and raises what click would tell


def commands(group: click.Group) -> set[str]:
    return {name for name, each in group.commands.items() if not isinstance(each, click.Group)}


def test_every_command_is_in_the_documents() -> None:
    """No command is a secret."""
    listed = blocks(read("docs/operations.md").split("## Command line")[1], "")[0]
    assert {line.split()[1] for line in listed.splitlines()} == set(beto.commands)
    subcommands = {tuple(line.split()[1:3]) for line in listed.splitlines()}
    for name, group in beto.commands.items():
        if isinstance(group, click.Group):
            assert {(name, each) for each in group.commands} <= subcommands
    measured = {line.split()[3] for page in PAGES for line in command_lines(page) if line.startswith("python -m tests.bench ")}
    assert measured - {"NAME"} == commands(bench)


def test_the_slack_guide_knows_every_word_of_the_command_and_no_other() -> None:
    """People try what the guide says, and nothing else tells them what there is."""
    table = read("docs/slack-guide.md").split("## Comandos")[1].split("\n## ")[0]
    told = {span.split()[1] if span.startswith("/beto ") else span for span in spans(table)}
    assert {word for word in WORDS if word} <= told
    for page in PAGES:
        for span in spans(read(page)):
            if re.match(r"/beto \w", span):
                assert span.split()[1] in WORDS or span.split()[1].isupper(), f"{page}: {span}"


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    """A link to nowhere costs trust."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", read(page)):
        name, _, anchor = target.partition("#")
        file = (ROOT / page).parent / name if name else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_document_names_exists(page: str) -> None:
    """Whoever is told where a new thing goes has to find the place."""
    for span in spans(read(page)):
        if re.fullmatch(r"(bot|worker|model|tests|docs|\.ci|\.github)/[\w./-]*", span):
            assert (ROOT / span).exists(), span


@pytest.mark.parametrize("page", [page for page in PAGES if page != "bot/simulator/README.md"])  # its own tests run its own
def test_every_python_block_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """What is copied into a shell has to work there."""
    monkeypatch.chdir(tmp_path)
    for block in blocks(read(page), "python"):
        folder = str(request.getfixturevalue("trained_version")) if "VERSION" in block else ""
        exec(compile(block.replace("VERSION", folder), page, "exec"), {"__name__": page})


def test_the_rooms_run_in_the_processes_that_the_architecture_names() -> None:
    """Whoever changes a file has to know which process will notice."""
    graph = grimp.build_graph("bot", "worker", "model")
    processes = {
        name: graph.find_upstream_modules(root) | {root}
        for name, root in {
            "bot": "bot.slack.app",
            "replies": "bot.outbox.process",
            "worker": "worker.inference",
            "trainer": "worker.trainer",
        }.items()
    }
    rows = re.findall(r"^\| (`.+?`) \| .+ \| ([^|]+) \|$", between(read("docs/architecture.md"), "rooms"), re.MULTILINE)
    rooms = {room: set(said.split(", ")) for named, said in rows for room in re.findall(r"`([^`]+)`", named)}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module in sorted(graph.modules):
        path = module.replace(".", "/")
        if (ROOT / path).is_dir() or module in {"bot.__main__"}:
            continue
        candidates = [room for room in rooms if f"{path}.py" == room or path.startswith(f"{room}/")]
        assert candidates, f"{path}.py is in no room"
        found[max(candidates, key=len)] |= {name for name, loaded in processes.items() if module in loaded}
    for room, said in rooms.items():
        # What the worker and the trainer import inside a function they load only when they need it: they may say less.
        assert said & {"bot", "replies"} == found[room] & {"bot", "replies"}, room
        assert said & set(processes) <= found[room], room


def test_the_diagram_of_the_outbox_is_the_one_that_its_states_draw() -> None:
    """A diagram that somebody drew once would soon be of another program."""
    assert between(read("docs/architecture.md"), "outbox states") == f"```mermaid\n{diagram()}\n```\n"


def test_every_word_of_the_glossary_is_used() -> None:
    """A word that nobody uses explains nothing."""
    sources = [path for package in ("bot", "worker", "model") for path in (ROOT / package).rglob("*.py")]
    pages = [ROOT / page for page in PAGES if page != "docs/glossary.md"]
    used = re.sub(r"[\s_]+", " ", " ".join(path.read_text(encoding="utf-8") for path in [*sources, *pages])).lower()
    rows = re.findall(r"^\| ([^|]+?) \| ", read("docs/glossary.md"), re.MULTILINE)
    words = [row for row in rows if row not in {"word", "---"}]
    assert len(words) == len(set(words)), "one meaning for each word"
    assert [word for word in words if word.lower() not in used] == []


def test_decisions_are_numbered_dated_and_complete() -> None:
    """Whoever wonders why finds the reason, and what it costs."""
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert re.match(r"20\d\d-\d\d-\d\d", text.splitlines()[2]), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_one_version_stands_everywhere() -> None:
    """What is installed, what the changelog tells of and what Compose starts is the same."""
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)[0] == version
    assert set(re.findall(r"image: beto-\w+:(\S+)", read("docker-compose.yml"))) == {version}


def test_the_workflow_runs_what_everybody_can_run() -> None:
    """Nothing may pass on the server and fail on a desk, or the other way about."""
    github = ROOT / ".github"
    [job] = yaml.safe_load((github / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    for form in (github / "ISSUE_TEMPLATE").glob("*.yml"):
        body = yaml.safe_load(form.read_text(encoding="utf-8"))
        assert form.name == "config.yml" or {"name", "description", "body"} <= set(body), form.name


def test_what_people_read_in_slack_is_there_in_both_languages_with_the_same_gaps() -> None:
    """A sentence that is missing in one language would be a crash for those who chose it."""
    spanish, english = (tomllib.loads(read(f"bot/views/locales/{language}.toml")) for language in ("es", "en"))
    gaps = [
        {(group, key): set(re.findall(r"{(\w+)", text)) for group, keys in language.items() for key, text in keys.items()}
        for language in (spanish, english)
    ]
    assert gaps[0] == gaps[1]
