"""The mixture that a version serves: its encoder and its lexical model, weighed on their logits."""

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from model.errors import BrokenVersion
from model.schema import Mixture
from model.serving.calibration import Matrix

MIXTURE_FILE = "mixture.json"
ENCODER_ALONE = Mixture(encoder=1.0, lexical=0.0, shift=0.0)  # what versions of 0.1.0 and 0.2.0 serve


def mix(mixture: Mixture, encoder: Matrix, lexical: Matrix) -> Matrix:
    """Return the mixture's calibrated logits, texts x labels."""
    logits: Matrix = np.full(encoder.shape, mixture.shift)
    # Left out and not multiplied by zero: what does not serve need not even be known.
    if mixture.encoder:
        logits = logits + mixture.encoder * encoder
    if mixture.lexical:
        logits = logits + mixture.lexical * lexical
    return logits


def save_mixture(folder: Path, mixture: Mixture) -> None:
    """Write mixture.json into `folder`."""
    (folder / MIXTURE_FILE).write_text(mixture.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_mixture(folder: Path) -> Mixture:
    """Load the folder's mixture, which is the encoder alone where there is no such file; BrokenVersion where it is none."""
    file = folder / MIXTURE_FILE
    try:
        return Mixture.model_validate_json(file.read_bytes()) if file.exists() else ENCODER_ALONE
    except (OSError, ValidationError) as error:
        raise BrokenVersion(f"{file} cannot be read: {error}") from error
