"""The file with the settings, `.env`, written without losing what else is in it."""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path


def write(file: Path, values: Mapping[str, str]) -> None:
    """Set these variables in the file, which only its owner reads from then on; every other line stays as it is.

    Whoever reads it meanwhile, and whoever dies meanwhile, finds the whole old file or the whole new one. A variable that
    stands there twice is left once, since the last one would count. Values must have no line's end in them.
    """
    file = file.resolve()  # what a link leads to, not the link
    left = dict(values)
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        named = re.match(r"\s*(?:export\s+)?(\w+)\s*=", line)
        if named is None or named[1] not in values:
            lines.append(line)
        elif named[1] in left:
            lines.append(f"{named[1]}={left.pop(named[1])}")
    lines += [f"{name}={value}" for name, value in left.items()]
    # Made for its owner alone, and in the same folder, so that it takes the other's place at once.
    handle, beside = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as new:
            new.write("\n".join(lines) + "\n")
            new.flush()
            os.fsync(new.fileno())
        os.replace(beside, file)
    except BaseException:
        os.unlink(beside)
        raise
