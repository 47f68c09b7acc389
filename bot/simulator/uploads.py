"""Files: an upload ticket, then the bytes, then the sharing."""

import mimetypes
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.workspace import Workspace

MAX_BYTES = 50_000_000


@dataclass(slots=True)
class Upload:
    """A file; it is visible once `shared` is set."""

    id: str
    name: str
    length: int
    created: int
    user: str  # the owner
    content: bytes | None = None
    title: str = ""
    alt_text: str = ""
    shared: bool = False
    channels: list[str] = field(default_factory=list)
    shares: dict[str, Json] = field(default_factory=dict)  # "public" or "private": the messages that share it, by channel


class Uploads:
    """All files of the workspace."""

    def __init__(self, workspace: Workspace, base: Callable[[], str], app_base: Callable[[], str]) -> None:
        self._base = base
        self._app_base = app_base
        self._workspace = workspace
        self._by_id: dict[str, Upload] = {}
        self._by_ticket: dict[str, Upload] = {}

    def new(self, name: str, length: int, user: str, alt_text: str = "") -> Json:
        """Return the reply of files.getUploadURLExternal: an address that takes `length` bytes, once."""
        if length <= 0:
            raise SlackError("missing_argument")
        if length > MAX_BYTES:
            raise SlackError("file_upload_size_restricted")
        upload = Upload("F" + secrets.token_hex(5).upper(), name, length, int(time.time()), user, alt_text=alt_text)
        ticket = secrets.token_urlsafe(24)
        self._by_id[upload.id] = self._by_ticket[ticket] = upload
        return {"upload_url": f"{self._app_base()}/upload/v1/{ticket}", "file_id": upload.id}

    def receive(self, ticket: str, content: bytes) -> Upload:
        """Store the bytes of an upload; raises file_not_found for a ticket that is unknown or used."""
        upload = self._by_ticket.get(ticket)
        if upload is None or len(content) != upload.length:
            raise SlackError("file_not_found")
        del self._by_ticket[ticket]
        upload.content = content
        return upload

    def complete(self, files: object, user: str) -> list[Upload]:
        """Make the files ready to be shared; raises file_not_found where bytes are missing, or the file is not that user's."""
        if not isinstance(files, list) or not files or not all(isinstance(one, dict) and one.get("id") for one in files):
            raise invalid_arguments("missing required field: files")
        done = []
        for one in files:
            upload = self._by_id.get(one["id"])
            if upload is None or upload.user != user or upload.content is None or upload.shared:
                raise SlackError("file_not_found")
            upload.title = one.get("title") or upload.name
            done.append(upload)
        for upload in done:
            upload.shared = True
        return done

    def get(self, id_: str) -> Upload:
        """Return the shared file with that id."""
        upload = self._by_id.get(id_)
        if upload is None or not upload.shared:
            raise SlackError("file_not_found")
        return upload

    def file(self, upload: Upload) -> Json:
        """Return the file object as Slack shows it."""
        kind = mimetypes.guess_type(upload.name)[0] or "application/octet-stream"
        extension = upload.name.rpartition(".")[2].lower() if "." in upload.name else "binary"
        address = f"{self._base()}/files/{upload.id}"
        return {
            "id": upload.id, "created": upload.created, "timestamp": upload.created, "name": upload.name, "title": upload.title,
            "mimetype": kind, "filetype": extension, "pretty_type": extension.upper(), "user": upload.user,
            "user_team": self._workspace.team_id, "editable": False, "size": upload.length, "mode": "hosted",
            "is_external": False, "external_type": "", "is_public": bool(upload.channels), "public_url_shared": False,
            "display_as_bot": False,
            "username": "", "url_private": address, "url_private_download": address, "permalink": address,
            "channels": [one for one in upload.channels if one.startswith("C")],
            "is_starred": False, "comments_count": 0, "has_rich_preview": False, "shares": upload.shares,
            "alt_txt": upload.alt_text,
            "groups": [], "ims": [one for one in upload.channels if one.startswith("D")],
        }  # fmt: skip
