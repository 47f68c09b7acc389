"""A version's folder: written whole or not at all, and read only while it is what was written.

Beside the plain transformers folder it holds the card, as `card.json` and for people as `README.md`, the lexical model's two
files, which are the baseline's, `mixture.json`, `engine.onnx` for a CPU and `frozen.safetensors` for a GPU, where the network is
one that can have them, and `manifest.json` with the SHA-256 of every file but the card, which is given its number later.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from model.errors import BrokenVersion, ModelError
from model.schema import Card, Split

CARD_FILE, CARD_TEXT_FILE = "card.json", "README.md"
MANIFEST_FILE = "manifest.json"
# What the manifest does not list: itself, and the card, which is given its number later.
UNLISTED = {CARD_FILE, CARD_TEXT_FILE, MANIFEST_FILE}
FEW = 10
WEIGHTS_FILE = "model.safetensors"
FROZEN_FILE = "frozen.safetensors"  # the layers that learnt, as they were before: what torch makes meanings with

_Manifest = TypeAdapter(dict[str, str])


def check_free(out: Path) -> None:
    """Raise ModelError unless a version can be written at `out`: nothing is there, and its parent takes new folders."""
    if out.exists():
        raise ModelError(f"{out} is there already: choose another folder, or remove this one")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent)).rmdir()
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error.strerror}: {error.filename}") from error


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Yield a new folder to fill, and move it to `out` in one step when the block ends well; else remove it.

    The files are on the disk itself by then, so that a power cut leaves a whole version or none.
    """
    check_free(out)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield folder
        files = sorted(path for path in folder.iterdir() if path.name not in {CARD_FILE, CARD_TEXT_FILE})
        manifest = {path.name: file_sha256(path) for path in files}
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        folder.chmod(0o755)  # mkdtemp's 0700 and safetensors' 0600 would keep a worker under another user out
        for path in folder.iterdir():
            path.chmod(0o644)
            flush(path)
        flush(folder)
        os.rename(folder, out)
        flush(out.parent)
    except OSError as error:
        raise ModelError(f"{out} cannot be written: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_card(folder: Path, card: Card) -> None:
    """Write `card` into the folder, for programs and for people."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / CARD_TEXT_FILE).write_text(card_text(card), encoding="utf-8")


def card_text(card: Card) -> str:
    """Return the card as a page of Markdown for people.

    In the order of Mitchell et al. 2019 (arXiv 1810.03993): what it is, what it is for, what it learnt from, how good it is,
    and where not to trust it.
    """
    lines = [
        f"# Version {card.version}: {card.base}",
        "",
        "Gives a Spanish message every label that applies, each with a calibrated probability. Made for the team whose",
        "corrections it learnt from; elsewhere it was not evaluated. It proposes, and a person decides.",
        "",
        f"- **Labels** ({len(card.labels)}): {', '.join(card.labels)}",
        f"- **Learnt from** {card.texts.get('train', 0)} messages; tuned on {card.texts.get('dev', 0)}, tested on "
        f"{card.texts.get('test', 0)} others. SHA-256 of all: `{card.data_sha256}`",
        f"- **Parent**: {'version ' + str(card.parent) if card.parent else 'none'}. Seed {card.seed}, {card.seconds:.0f} s, "
        f"{card.created_at}, code {card.code_version}",
        *([f"- **Base**: {card.origin}"] if card.origin else []),
        f"- **Settings**: {', '.join(f'{name} {value}' for name, value in card.settings.items())}",
        f"- **Given** from these probabilities on: {', '.join(f'{name} {value:.3f}' for name, value in card.thresholds.items())}",
        *(f"- **Preferred**: {line}. Scores below are without" for line in preferred(card)),
    ]
    if card.mixture is not None:
        lines.append(
            f"- **Serves** the sum of its encoder's logits times {card.mixture.encoder:.3f}, its lexical model's times "
            f"{card.mixture.lexical:.3f}, and {card.mixture.shift:.3f}. Loaded by transformers, this folder is its encoder alone."
        )
    if not card.forms:
        lines.append(
            "- **Serves by torch**, also on a CPU, and more slowly: the packed graph knows networks of BERT's kind alone"
        )
    for tried in card.forms:
        f1 = f"{100 * tried.micro_f1_exact:.1f} -> {100 * tried.micro_f1:.1f}"
        lines.append(
            f"- **{'Serves' if tried.sound else 'Refused'} in {tried.form}** on a CPU: on dev {tried.flipped} of "
            f"{tried.decisions} decisions come out otherwise, no probability by more than {tried.change:.3f}, micro-F1 {f1}"
        )
    for split, scores in card.scores.items():
        lines += ["", f"## Scores on {scores.texts} {split} messages", "", *_score_table(card, split)]
    supports = [scores.per_label for scores in card.scores.values()][:1]
    weak = [label for per_label in supports for label, each in per_label.items() if each.support < FEW]
    if weak:
        lines += ["", f"Fewer than {FEW} judged messages carry {', '.join(weak)}: their numbers are mostly chance."]
    return "\n".join(lines) + "\n"


def preferred(card: Card) -> list[str]:
    """Return a line for each label of which recall or precision was preferred: its threshold, and what that costs."""
    lines = []
    for label, preference in card.preferences.items():
        cuts = card.cuts[label]
        moved = (
            f"{preference} of {label}: given from {cuts.by(preference).threshold:.2f} instead of {cuts.balance.threshold:.2f} on"
        )
        before, after = cuts.gives("balance"), cuts.gives(preference)
        if before is None or after is None:
            lines.append(f"{moved}; what that costs cannot be told from the {cuts.carrying} dev messages that carry it")
            continue
        lines.append(
            f"{moved}; finds {after[0]} of 100 instead of {before[0]}, and {after[1]} of 100 that are given it are right instead "
            f"of {before[1]} (on {cuts.carrying} dev messages that carry it)"
        )
    return lines


def _score_table(card: Card, split: Split) -> list[str]:
    """Return the scores on the split as the lines of a table: of the version, its encoder alone, and the yardsticks."""
    systems = {
        "version": card.scores,
        "its encoder alone": card.encoder_scores,
        "TF-IDF + logistic regression": card.baseline,
        "TF-IDF + linear SVC": card.svc,
    }
    columns = {name: scores[split] for name, scores in systems.items() if split in scores}
    lines = [f"| | {' | '.join(columns)} |", f"| --- |{' --- |' * len(columns)}"]
    for name, field in (("micro-F1", "micro_f1"), ("macro-F1", "macro_f1"), ("Jaccard", "jaccard")):
        cells = (f"{100 * getattr(scores, field):.1f}" for scores in columns.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for label, each in card.scores[split].per_label.items():
        cells = (f"{100 * scores.per_label[label].f1:.1f}" for scores in columns.values())
        lines.append(f"| F1 of {label} ({each.support}) | {' | '.join(cells)} |")
    return lines


def read_card(folder: Path) -> Card:
    """Read the folder's card; raise BrokenVersion where there is none or it is not one."""
    try:
        return Card.model_validate_json((folder / CARD_FILE).read_bytes())
    except FileNotFoundError:
        raise BrokenVersion(f"{folder / CARD_FILE} is missing: this is no finished version") from None
    except (OSError, ValidationError) as error:
        raise BrokenVersion(f"{folder / CARD_FILE} cannot be read: {error}") from error


def verify(folder: Path) -> Card:
    """Check that every file of the folder is as it was written, and return the card.

    Raises BrokenVersion naming the first file that is not.
    """
    card = read_card(folder)
    try:
        manifest = read_manifest((folder / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise BrokenVersion(f"{folder / MANIFEST_FILE} cannot be read: {error}") from error
    for name in (WEIGHTS_FILE, "config.json"):
        if name not in manifest:
            raise BrokenVersion(f"{folder / MANIFEST_FILE} does not list {name}")
    for path in folder.iterdir():
        # What is not listed was not checked, and a library might take it up.
        if path.name not in manifest and path.name not in UNLISTED:
            raise BrokenVersion(f"{path} is not in {MANIFEST_FILE}: somebody put it there later")
    _check_files(folder, manifest)
    return card


def is_as_written(folder: Path) -> bool:
    """Return whether `building` finished the folder and nobody altered a file that it listed; a folder without a card will do."""
    try:
        _check_files(folder, _Manifest.validate_json((folder / MANIFEST_FILE).read_bytes()))
    except (OSError, ValidationError, BrokenVersion):
        return False
    return True


def _check_files(folder: Path, manifest: dict[str, str]) -> None:
    for name, expected in manifest.items():
        if not is_plain(name):
            raise BrokenVersion(f"{folder / MANIFEST_FILE} names {name!r}, which is no file of this folder")
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            raise BrokenVersion(f"{folder / name} cannot be read: {error.strerror}") from error
        if found != expected:
            raise BrokenVersion(f"{folder / name} is not what was written: its SHA-256 differs from {MANIFEST_FILE}")


def read_manifest(raw: bytes) -> dict[str, str]:
    """Return the SHA-256 of each file that a manifest lists; ValueError where it is none."""
    return _Manifest.validate_json(raw)


def is_plain(name: str) -> bool:
    """Return whether the name is of something right inside a folder, and of nothing above or below."""
    return name not in {"", ".", ".."} and not set(name) & {"/", "\\", "\0"}


def file_sha256(path: Path) -> str:
    """Return the file's SHA-256 in hexadecimal; about half a second for a network of BETO's size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path) -> None:
    """Force what was written to the file or folder out to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
