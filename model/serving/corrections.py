"""What a version learnt since it was trained: its lexical model fitted anew, and the messages that people judged."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from model.errors import BrokenVersion
from model.serving.lexical import LexicalModel
from model.text_key import text_key

# Of the SHA-256 of a text; by chance two of a hundred million texts share so much once in a thousand databases.
KEY_BYTES = 10
# What people said of the very same text is shown as theirs, and is still no certainty: another one may have meant otherwise.
SAID_YES, SAID_NO = 0.99, 0.01

Key = bytes


@dataclass(frozen=True)
class Judged:
    """What people said of a text: columns of labels that apply, and of those that do not; `source` ("channel:ts") is where."""

    yes: tuple[int, ...]
    no: tuple[int, ...]
    source: str | None = None


@dataclass(frozen=True)
class Corrections:
    """`count` judged messages that the version itself has not learnt from; with them its lexical model, and all judged texts."""

    count: int
    lexical: LexicalModel | None  # where none serves in the version's mixture, none does here
    judged: Mapping[Key, Judged]

    def to_bytes(self) -> bytes:
        """Return all of it as `read_corrections` takes it."""
        from safetensors.numpy import save

        described = {
            "count": self.count,
            "judged": {key.hex(): [each.yes, each.no, each.source] for key, each in self.judged.items()},
            "labels": self.lexical.labels if self.lexical else None,
            "words": list(self.lexical.words) if self.lexical else [],
            "pieces": list(self.lexical.pieces) if self.lexical else [],
        }
        tensors = {"described": np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8)}
        if self.lexical is not None:
            # Columns are numbered words first, then pieces, as in a version's folder.
            order = np.array([*self.lexical.words.values(), *self.lexical.pieces.values()], np.int64)
            tensors |= {
                "idf": self.lexical.idf[order].astype(np.float32),
                # Half as many bytes; a weight is some 0.1, and is off by less than 0.0001 then.
                "weights": self.lexical.weights[order].astype(np.float16),
                "bias": self.lexical.bias.astype(np.float32),
            }
        return save(tensors)


def read_corrections(content: bytes) -> Corrections:
    """Read what `Corrections.to_bytes` returned; raise BrokenVersion where it is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        described = json.loads(tensors["described"].tobytes())
        lexical = None
        if described["labels"] is not None:
            words, pieces = described["words"], described["pieces"]
            lexical = LexicalModel(
                tuple(described["labels"]),
                {term: at for at, term in enumerate(words)},
                {term: at for at, term in enumerate(pieces, start=len(words))},
                tensors["idf"],
                tensors["weights"].astype(np.float32),
                tensors["bias"],
            )
        judged = {
            bytes.fromhex(key): Judged(tuple(yes), tuple(no), *source)  # without one: written before 0.3.0
            for key, (yes, no, *source) in described["judged"].items()
        }
        return Corrections(int(described["count"]), lexical, judged)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise BrokenVersion(f"corrections that cannot be read: {error}") from error


def key_of(text: str) -> Key:
    """Return the key by which a text is known again, whatever differs in case, accents, signs and digits."""
    return bytes.fromhex(text_key(text))[:KEY_BYTES]
