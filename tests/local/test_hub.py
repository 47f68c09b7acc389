"""Versions in a repository of a model hub, by the hub's own client against a server here that speaks what it needs of the hub."""

import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.local.hub import read_place
from bot.local.ports import free_port
from bot.local.version_transfer import export_version, import_version
from model.errors import BadData, ModelError
from model.serving.version_folder import file_sha256
from model.settings import ModelSettings
from model.store.store import Store
from tests.local.homes import add_version
from tests.terminal import beto

COMMIT = "c" * 40
# The hub's client calls its own client of HTTP in a way that this one calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


class Hub:
    """Repositories, private or not, with their files; large files come as to any hub: announced, put, committed."""

    def __init__(self) -> None:
        self.private: dict[str, bool] = {}
        self.files: dict[str, bytes] = {}
        self.tokens: set[str | None] = set()
        self._put: dict[str, bytes] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def answer(self, status: int, content: object = None, **headers: str) -> None:
                body = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_GET(self) -> None:  # the names are http.server's
                hub.tokens.add(self.headers.get("Authorization"))
                if found := re.fullmatch(r"/api/models/([\w/-]+)(?:/revision/main)?", self.path):
                    is_private = hub.private.get(found[1])
                    if is_private is None:
                        self.answer(404, {}, X_Error_Code="RepoNotFound")
                    else:
                        self.answer(200, {"id": found[1], "private": is_private, "sha": COMMIT, "siblings": [], "tags": []})
                    return
                found = re.fullmatch(rf"/([\w/-]+)/resolve/(?:main|{COMMIT})/([\w./-]+)", self.path)
                content = None if found is None else hub.files.get(f"{found[1]}/{found[2]}")
                if content is None:
                    self.answer(404, {}, X_Error_Code="EntryNotFound")
                else:
                    self.answer(200, content, ETag=f'"{sha256(content).hexdigest()}"', X_Repo_Commit=COMMIT)

            do_HEAD = do_GET

            def do_POST(self) -> None:
                hub.tokens.add(self.headers.get("Authorization"))
                body = self.body()
                if self.path == "/api/repos/create":
                    asked = json.loads(body)
                    name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
                    is_new = name not in hub.private
                    hub.private.setdefault(name, asked.get("private", asked.get("visibility") == "private"))
                    self.answer(200 if is_new else 409, {"url": f"{hub.url}/{name}"})
                elif "/preupload/" in self.path:
                    wanted = [each["path"] for each in json.loads(body)["files"]]
                    told = [{"path": path, "uploadMode": "lfs", "shouldIgnore": False} for path in wanted]
                    self.answer(200, {"files": told})
                elif self.path.endswith("/info/lfs/objects/batch"):
                    wanted = json.loads(body)["objects"]
                    told = [each | {"actions": {"upload": {"href": f"{hub.url}/put/{each['oid']}"}}} for each in wanted]
                    self.answer(200, {"transfer": "basic", "objects": told})
                elif "/commit/" in self.path:
                    repository = self.path.removeprefix("/api/models/").partition("/commit/")[0]
                    for line in map(json.loads, body.splitlines()):
                        if line["key"] == "lfsFile":
                            hub.files[f"{repository}/{line['value']['path']}"] = hub._put[line["value"]["oid"]]
                    told = {"commitUrl": f"{hub.url}/{repository}/commit/{COMMIT}", "commitOid": COMMIT}
                    self.answer(200, told | {"pullRequestUrl": None})
                else:
                    self.answer(404, {})

            def do_PUT(self) -> None:
                hub._put[self.path.removeprefix("/put/")] = self.body()
                self.answer(200, {})

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture
def home(migrated_file: Path, tmp_path: Path) -> Path:
    """A home with one version."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copyfile(migrated_file, folder / "beto.db")
    store = Store(f"sqlite:///{folder / 'beto.db'}", folder)
    add_version(store, live=True)
    store.close()
    return folder


@pytest.fixture
def near(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub's client reaches this one alone, by the protocol that every hub speaks."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    return hub


def refused(said: str, call: Callable[[], object]) -> None:
    with pytest.raises(ModelError) as error:
        call()
    assert str(error.value).startswith(said)


def test_a_version_goes_to_a_hub_and_comes_back_as_it_was(near: Hub, home: Path, tmp_path: Path) -> None:
    """From the machine with the GPU to the one that answers, without a disk that both can reach; nobody else can read it."""
    here, place = ModelSettings(home=home), "hf://banco/beto/versions/v1.zip"
    sent = export_version(here, 1, place)
    assert near.private == {"banco/beto": True}
    (name,) = near.files
    assert name == "banco/beto/versions/v1.zip"
    (tmp_path / "copy.zip").write_bytes(near.files[name])
    assert sent == f"{place}: version 1 (mini), SHA-256 {file_sha256(tmp_path / 'copy.zip')}"
    brought = import_version(here, place)
    assert brought.startswith(f"version 2 (mini), SHA-256 of the file {file_sha256(tmp_path / 'copy.zip')}")
    assert "Bearer hf_test" in near.tokens
    # What was sent is not replaced by what comes later under the same name, and what was altered there is refused.
    refused(f"{place} is there already", lambda: export_version(here, 1, place))
    near.files[name] = near.files[name].replace(b'"base": "mini"', b'"base": "maxi"', 1)
    with pytest.raises(ModelError, match=r"is not what was written|cannot be read|no backup and no version"):
        import_version(here, place)
    assert [each.name for each in sorted((home / "versions").iterdir()) if each.name.startswith("v")] == ["v1", "v2"]


def test_a_version_goes_to_no_public_repository_and_what_is_missing_is_named(
    near: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version has learnt from what people wrote, and may tell some of it."""
    here = ModelSettings(home=home)
    near.private["banco/open"] = False
    refused("banco/open is public, and a version has learnt", lambda: export_version(here, 1, "hf://banco/open/v1.zip"))
    assert near.files == {}
    missing = f"hf://banco/open/v9.zip is not there, or HF_TOKEN may not read it ({near.url})"
    refused(missing, lambda: import_version(here, "hf://banco/open/v9.zip"))
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", nowhere)
    refused(f"{nowhere} cannot be reached for hf://banco/beto/v1.zip", lambda: export_version(here, 1, "hf://banco/beto/v1.zip"))


def test_the_command_takes_a_place_on_a_hub_where_a_file_may_stand(hub: Hub, home: Path) -> None:
    """What people type is what was tried here."""
    there = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_test", "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home.parent / "hf")}
    sent = beto("versions", "export", "1", "hf://banco/beto/v1.zip", home=home, **there)
    assert (sent.status, set(hub.files)) == (0, {"banco/beto/v1.zip"}), sent.err


@pytest.mark.parametrize("name", ["hf://banco", "hf://banco/beto", "hf://banco/beto/../x.zip", "hf:///beto/x.zip", "hf://a/b/ x"])
def test_a_place_that_is_none_is_refused_before_anything_is_done(name: str) -> None:
    """Whoever leaves out the owner would search for the version in vain."""
    with pytest.raises(BadData, match="hf://OWNER/REPOSITORY/FILE"):
        read_place(name)
