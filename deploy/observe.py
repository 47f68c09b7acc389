"""Writes the Grafana dashboard, the alert rules and their tests: `python -m deploy.observe`. They are never edited by hand.

What they say is in `deploy/alerts.py` and `deploy/panels.py`. A test compares what lies here with what these make, and each
name of a metric with the declarations.
"""

import json
from pathlib import Path

import yaml

from deploy.alerts import rule_tests, rules
from deploy.panels import dashboard

FOLDER = Path(__file__).parent
HEAD = "# Made by `python -m deploy.observe`; edit deploy/alerts.py instead.\n"


def files() -> dict[str, str]:
    """Return the content of each file, by its name in this folder."""
    written = {"alerts.yml": rules(), "alerts-test.yml": rule_tests()}
    as_yaml = {
        name: HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=130) for name, content in written.items()
    }
    return {"grafana-dashboard.json": json.dumps(dashboard(), indent=1) + "\n", **as_yaml}


if __name__ == "__main__":
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
