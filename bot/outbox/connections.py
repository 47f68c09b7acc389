"""Connections to Slack that are kept: a call over a new one waits for three round trips, over a kept one for one."""

import ssl
from email.message import Message
from io import BytesIO
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

import urllib3
from urllib3.exceptions import HTTPError as Urllib3Error
from urllib3.exceptions import NewConnectionError, ProtocolError
from urllib3.exceptions import TimeoutError as Urllib3Timeout


class Connections:
    """Connections that several threads share; each is used by one call at a time, and then kept for the next.

    One that Slack has closed meanwhile is seen to be so before it is used, and a new one opened.
    """

    def __init__(self, most: int, *, proxy: str | None = None) -> None:
        # No more than `most` are kept; whoever finds none free opens one more, and waits for nobody.
        options: dict[str, Any] = {"maxsize": most, "retries": False, "ssl_context": ssl.create_default_context()}
        self._pool = urllib3.PoolManager(**options) if proxy is None else urllib3.ProxyManager(proxy, **options)

    def close(self) -> None:
        """Close those that are kept."""
        self._pool.clear()

    def open(self, request: Request, *, timeout_s: float) -> tuple[int, Message, bytes]:
        """Send the request, once, and return status, headers and body of an answer below 400.

        Raises what `urllib.request.urlopen` raises: HTTPError for another answer, URLError where no connection came about, and
        OSError where one was lost, TimeoutError among them.
        """
        assert request.data is None or isinstance(request.data, bytes)  # slack_sdk gives nothing else
        try:
            answer = self._pool.request(
                request.get_method(),
                request.full_url,
                body=request.data,
                headers=dict(request.header_items()),
                timeout=timeout_s,
                redirect=False,
            )
        except NewConnectionError as error:  # for urllib3 it is a kind of timeout; but nothing can have been carried out
            raise URLError(str(error)) from error
        except Urllib3Timeout as error:
            raise TimeoutError(str(error)) from error
        except ProtocolError as error:
            raise ConnectionResetError(str(error)) from error
        except Urllib3Error as error:
            raise URLError(str(error)) from error
        headers = Message()
        for name, value in answer.headers.items():
            headers[name] = value
        if answer.status >= 300:
            raise HTTPError(request.full_url, answer.status, answer.reason or "", headers, BytesIO(answer.data))
        return answer.status, headers, answer.data
