"""The line between an app and Slack: TLS by an authority of its own, and the time that each way takes."""

import asyncio
import ssl
import time
from contextlib import suppress
from pathlib import Path

_CHUNK = 1 << 16


class Line:
    """A second address of the simulator, for the app alone.

    With `authority` it speaks TLS, by a certificate of an authority that is made anew each time and written to that file:
    whoever sets SSL_CERT_FILE to it trusts the line. Each byte arrives half of `rtt_s` seconds late, and the first ones of a
    connection another `rtt_s`, as those of TCP do, which shakes hands before it carries any. What TLS costs comes by itself.
    """

    def __init__(self, *, authority: Path | None = None, rtt_s: float = 0.0) -> None:
        self.connections = 0  # opened so far
        self.rtt_s = rtt_s
        self.scheme = "http" if authority is None else "https"
        self.authority = authority
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def context(self, host: str) -> ssl.SSLContext | None:
        """Return how the server behind the line shakes hands, its authority's certificate written; None without TLS.

        Raises OSError where that cannot be written, ValueError where what makes certificates is not installed.
        """
        if self.authority is None:
            return None
        try:
            import trustme
        except ImportError as error:
            raise ValueError("certificates are made by the package `trustme`: pip install trustme") from error
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.authority))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host, "localhost").configure_cert(context)
        return context

    async def start(self, host: str, behind: int) -> int:
        """Carry what comes to a free port, which is returned, to the port `behind`, and back."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            self.connections += 1
            with suppress(OSError, asyncio.CancelledError):
                far_reader, far_writer = await asyncio.open_connection(host, behind)
                half_s = self.rtt_s / 2
                try:
                    await asyncio.gather(
                        _carry(reader, far_writer, half_s, self.rtt_s + half_s), _carry(far_reader, writer, half_s, half_s)
                    )
                finally:
                    far_writer.close()
                    writer.close()

        self._server = await asyncio.start_server(carry, host, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Cut every connection."""
        if self._server is None:
            return
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._server = None


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late_s: float, first_late_s: float) -> None:
    """Write what is read, each piece so much later and in its order, the first one `first_late_s`; and then the end."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def read() -> None:
        wait_s, piece = first_late_s, b"-"
        while piece:
            try:
                piece = await reader.read(_CHUNK)
            except OSError:
                piece = b""
            under_way.put_nowait((time.monotonic() + wait_s, piece))
            wait_s = late_s

    async def write() -> None:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(due - time.monotonic())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()  # the other way may still carry

    await asyncio.gather(read(), write())
