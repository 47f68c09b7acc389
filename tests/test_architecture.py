"""The structure's rules that a reader relies on; imports are checked by `lint-imports` in `make check`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for package in ("bot", "worker", "model") for path in (ROOT / package).rglob("*.py"))
LONG = 300  # lines
# Product files that are longer, each with the one noun that it holds.
NOUNS = {
    "bot/outbox/states.py": "the states of what is owed to Slack",
    "bot/simulator/blocks.py": "Block Kit as Slack checks it",
    "bot/simulator/people.py": "the person API",
    "bot/simulator/server.py": "the simulator's HTTP server",
    "bot/simulator/workspace.py": "the simulated workspace",
    "bot/slack/context.py": "what listeners work with",
    "bot/views/run_blocks.py": "the screens of a run",
    "model/labels.py": "the labels",
    "model/learning/light_fit.py": "the fit of the light parts",
    "model/learning/retraining.py": "a run",
    "model/schema.py": "the nouns that travel",
    "model/serving/network.py": "a network as torch runs it",
    "model/store/outbox.py": "the outbox",
    "model/store/reviews.py": "the review cards",
    "model/store/tables.py": "the tables",
}


@pytest.mark.parametrize(
    "module", ["bot.slack.app", "bot.outbox.process", "bot.simulator.server", "worker.tasks", "model.store.store"]
)
def test_the_small_processes_hold_no_torch(module: str) -> None:
    """bot and replies must stay small enough to run beside anything."""
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'sklearn', 'numpy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_long_file_holds_one_thing_that_can_be_named() -> None:
    """A file grows past 300 lines only while it hides one thing: whoever adds the line that is too much says which."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {path for path, lines in lengths.items() if lines > LONG} == set(NOUNS)


def test_no_test_module_imports_another() -> None:
    """What two of them need is in a file of helpers: a test must run alone, and be read alone."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for line in path.read_text(encoding="utf-8").splitlines():
            found = re.match(r"\s*(?:from|import)\s+(tests[\w.]*\.)?test_\w+|\s*from\s+tests[\w.]*\s+import\s.*\btest_", line)
            assert not found, f"{path}: {line.strip()}"


def test_a_test_names_its_broker_in_one_way() -> None:
    """To configure another Redis is not enough: Celery keeps the connections that it made first."""
    named = [path for path in (ROOT / "tests").rglob("*.py") if re.search(r"""["']broker_url["']""", path.read_text("utf-8"))]
    assert named == [ROOT / "tests" / "broker.py"]


def test_what_a_checker_is_told_to_overlook_has_its_reason_beside_it() -> None:
    """Who comes later must see whether the exception still holds."""
    for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]:
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.search(r"# (?:noqa|type: ignore)(.*)", line):
                assert re.fullmatch(r"(?:: \w+|\[[\w,-]+\]) {1,2}(?:# |- )\w.+", found[1]), f"{path}: {line.strip()}"


def test_a_worker_has_nowhere_to_put_a_slack_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever breaks into the process with the model must not find the keys to the workspace."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    from worker.settings import WorkerSettings

    assert "xoxb-secret" not in str(WorkerSettings().model_dump())


def test_the_top_level_is_as_agreed() -> None:
    """Three packages; a fourth would need a reason that everybody knows."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    folders = {name.split("/")[0] for name in listed if "/" in name}
    assert folders <= {"bot", "worker", "model", "tests", "docs", "deploy", ".ci", ".github", ".slack"}


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    """`beto --help` is the first thing that anybody types."""
    code = "import sys, bot.cli; print(sorted({'torch', 'celery', 'sqlalchemy', 'slack_bolt'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=os.environ)
    assert done.stdout.strip() == "[]"


def test_no_files_import_each_other_in_a_circle() -> None:
    """What must be read together should be one file; imports for checkers alone count too: they are read as well."""
    graph = grimp.build_graph("bot", "worker", "model", exclude_type_checking_imports=False, cache_dir=None)
    left = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while leaves := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in leaves:
            del left[module]
    # What is left is in a circle, or imports one.
    assert not left
