"""What a version learnt since it was trained: its light parts fitted anew, and the texts that people judged."""

import json
from dataclasses import dataclass

import numpy as np

from model.errors import BrokenVersion
from model.serving.described import Described, read_described
from model.serving.head import Head
from model.serving.judged_texts import JudgedTexts, judged_texts
from model.serving.lexical import LexicalModel

# What people said of the very same text is shown as theirs, and is still no certainty: another one may have meant otherwise.
SAID_YES, SAID_NO = 0.99, 0.01


@dataclass(frozen=True)
class Corrections:
    """`count` judged messages that the version itself has not learnt from; with them all judged texts, and what was fitted.

    Behind the version's own labels, what was said has those that speak by what is written of them.
    """

    count: int
    judged: JudgedTexts
    lexical: LexicalModel | None = None  # where none serves in the version's mixture, none does here
    head: Head | None = None
    described: Described | None = None  # labels that the version was not taught

    def to_bytes(self) -> bytes:
        """Return all of it as `read_corrections` takes it."""
        from safetensors.numpy import save

        described = {
            "count": self.count,
            "width": self.judged.said.shape[1],
            "labels": self.lexical.labels if self.lexical else None,
            "words": list(self.lexical.words) if self.lexical else [],
            "pieces": list(self.lexical.pieces) if self.lexical else [],
        }
        tensors = {"described": np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8)}
        tensors |= {f"judged.{name}": np.ascontiguousarray(array) for name, array in self.judged.arrays().items()}
        if self.head is not None:
            tensors |= {f"head.{name}": np.ascontiguousarray(array, np.float32) for name, array in self.head.arrays().items()}
        if self.lexical is not None:
            # Columns are numbered words first, then pieces, as in a version's folder.
            order = np.array([*self.lexical.words.values(), *self.lexical.pieces.values()], np.int64)
            tensors |= {
                "idf": self.lexical.idf[order].astype(np.float32),
                # Half as many bytes; a weight is some 0.1, and is off by less than 0.0001 then.
                "weights": self.lexical.weights[order].astype(np.float16),
                "bias": self.lexical.bias.astype(np.float32),
            }
            if self.lexical.added is not None:
                tensors["added"] = self.lexical.added[order].view(np.uint8)
        if self.described is not None:
            tensors |= self.described.tensors()
        return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


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
                tensors["added"].view(np.bool_) if "added" in tensors else None,
            )
        of = {
            part: {name.removeprefix(f"{part}."): array for name, array in tensors.items() if name.startswith(f"{part}.")}
            for part in ("judged", "head")
        }
        judged = judged_texts(of["judged"], int(described["width"]))
        head = Head(**of["head"]) if of["head"] else None
        return Corrections(int(described["count"]), judged, lexical, head, read_described(tensors))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise BrokenVersion(f"corrections that cannot be read: {error}") from error
