"""What `beto doctor` knows of the processes that run here: the file that lists them, and their health pages."""

import json
import os
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from pydantic import BaseModel, ValidationError

FILE = "running.json"


class Listing(BaseModel):
    """The process that started the others, and the port of each one's health page by its name."""

    pid: int
    health: dict[str, int]


def write(home: Path, health: Mapping[str, int]) -> None:
    """List the processes that this one started in `home`; whoever reads the list sees the old one or the new one."""
    listing = Listing(pid=os.getpid(), health=dict(health))
    draft = home / f"{FILE}.{os.getpid()}"
    draft.write_text(listing.model_dump_json(), encoding="utf-8")
    draft.replace(home / FILE)


def read(home: Path) -> Listing | None:
    """Return the list in `home`; None where there is none, where it cannot be read, or where its writer was killed."""
    try:
        listing = Listing.model_validate_json((home / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    # One that was killed had no time to take its file away.
    return listing if Path(f"/proc/{listing.pid}").exists() or not Path("/proc").exists() else None


def remove(home: Path) -> None:
    """Remove the list from `home`."""
    (home / FILE).unlink(missing_ok=True)


def read_health(port: int, page: str = "live") -> dict[str, object] | None:
    """Return what the health page on this loopback port says, or None where it says nothing.

    `page` is `live`, or `ready`, which also says what the process waits for.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/{page}", timeout=2) as answer:
            return dict(json.load(answer))
    except HTTPError as error:
        try:
            return dict(json.load(error))
        except (HTTPException, OSError, ValueError):  # it was killed or frozen in the middle of a sentence
            return None
    except (HTTPException, OSError, ValueError):
        return None
