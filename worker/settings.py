"""Settings of the processes that talk to the queue."""

import re
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator

from model.settings import ModelSettings


class WorkerSettings(ModelSettings):
    """Settings of `worker` and `trainer`; there is no field here that could hold a Slack token."""

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False, description="the broker")

    @field_validator("redis_url")
    @classmethod
    def _readable(cls, url: str) -> str:
        """Refuse what is no URL here, where the error does not quote it: libraries that read it later do, password and all."""
        try:
            parts = urlsplit(url)
            readable = parts.scheme in {"redis", "rediss"} and (parts.port or 1) > 0 and bool(parts.hostname)
        except ValueError:
            readable = False
        if not readable and not url.startswith(("unix://", "redis+socket://")):
            raise ValueError("no URL of a Redis server: redis://:PASSWORD@HOST:PORT/0, or rediss:// for TLS, the password quoted")
        return url

    @field_validator("retrain_channel")
    @classmethod
    def _id_of_a_channel(cls, value: str) -> str:
        if value and re.fullmatch(r"[CGD][A-Z0-9]+", value) is None:
            raise ValueError(
                f"{value!r} is no channel's id, which begins with C or G, in capitals and digits: in Slack, open the channel's "
                "details by its name; the id stands at the end of About"
            )
        return value

    concurrency: int = Field(default=32, ge=1, le=512, description="messages that one worker holds at a time")
    retrain_after: int = Field(default=0, ge=0, description="new judgements after which it retrains by itself; 0: never")
    retrain_every_h: float = Field(
        default=0, ge=0, description="hours after which it retrains by itself, if judged since; 0: never"
    )
    retrain_channel: str = Field(default="", description="id of the channel where such a run is told; empty: nowhere")
    health_port: int = Field(default=0, ge=0, le=65535, description="where /live, /ready and /metrics answer; 0: nowhere")
    health_host: str = Field(default="127.0.0.1", description="the address that the health page listens on")
    log: Literal["auto", "json", "text"] = Field(
        default="auto", description="a JSON object a line, or a line for people; auto: the latter on a terminal"
    )

    otlp_endpoint: str = Field(
        default="",
        repr=False,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"),
        description="the OpenTelemetry collector that traces are sent to by HTTP, as in `http://localhost:4318`; empty: to none",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _address_of_a_collector(cls, url: str) -> str:
        if url and not re.match(r"https?://[^/]", url):
            raise ValueError("no URL of a collector: http://HOST:4318, to which /v1/traces is added")
        return url

    @property
    def names_redis(self) -> bool:
        """Return whether BETO_REDIS_URL is set, in the environment or in `.env`; where not, `beto up` starts a Redis."""
        return "redis_url" in self.model_fields_set
