"""Exported versions in a repository of a model hub: `hf://OWNER/REPOSITORY/FILE` stands where the name of a file may stand.

The file is the one that `beto versions export` writes anywhere else. HF_TOKEN says who we are there, HF_ENDPOINT which hub it is.
"""

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import BadData, BadSetting, ModelError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hf://"


@dataclass(frozen=True)
class Place:
    """Where a file is, or is to be, on the hub."""

    repository: str
    file: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}/{self.file}"


def read_place(name: str) -> Place | None:
    """Return the place on the hub that `name` means; None where it is a file of this machine. BadData where it is neither."""
    if not name.startswith(PREFIX):
        return None
    word = r"[\w-][\w.-]*"
    found = re.fullmatch(rf"({word}/{word})/((?:{word}/)*{word})", name.removeprefix(PREFIX), re.ASCII)
    if found is None:
        raise BadData(f"{name} is no file on a hub: hf://OWNER/REPOSITORY/FILE, as in hf://my-company/beto/v3.zip")
    return Place(found[1], found[2])


def put(file: Path, place: Place) -> None:
    """Upload the file. A repository that is not there is made, private.

    ModelError where the repository is public, since a version has learnt from what people wrote, where the file is there already,
    and where the hub cannot be reached or refuses.
    """
    with _hub(place) as api:
        api.create_repo(place.repository, private=True, exist_ok=True)
        if not api.repo_info(place.repository).private:
            raise ModelError(
                f"{place.repository} is public, and a version has learnt from what people wrote: make it private first"
            )
        if api.file_exists(place.repository, place.file):
            raise ModelError(f"{place} is there already: choose another name, or remove it there")
        api.upload_file(
            path_or_fileobj=file, path_in_repo=place.file, repo_id=place.repository, commit_message="A version of beto"
        )


def get(place: Place, folder: Path) -> Path:
    """Download the file into `folder`, and return where it is. ModelError where it is not there, or the hub cannot be reached."""
    with _hub(place) as api:
        return Path(api.hf_hub_download(place.repository, place.file, local_dir=folder))


@contextmanager
def _hub(place: Place) -> Iterator["HfApi"]:
    """Yield the hub's client; what goes wrong there becomes one sentence with the hub's address."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise BadSetting(f"{place} needs huggingface_hub: pip install 'beto-bot[model]'")
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError

    try:
        yield HfApi()
    except ModelError:
        raise
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise ModelError(f"{place} is not there, or HF_TOKEN may not read it ({constants.ENDPOINT})") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise ModelError(f"{constants.ENDPOINT} refuses {place} ({status}): HF_TOKEN says who may do that") from error
    except Exception as error:  # its client lets through what its own client of HTTP raises, which changes with its version
        raise ModelError(f"{constants.ENDPOINT} cannot be reached for {place}: {error}") from error
