"""Settings of the processes that talk to the queue."""

from pydantic import Field

from model.settings import ModelSettings


class WorkerSettings(ModelSettings):
    """What `worker` and `trainer` read; there is no field here that could hold a Slack token."""

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False, description="the broker")
    concurrency: int = Field(default=32, ge=1, le=512, description="messages that one worker holds at a time")
    retrain_after: int = Field(default=0, ge=0, description="new judgements after which it retrains by itself; 0: never")
    retrain_every_h: float = Field(
        default=0, ge=0, description="hours after which it retrains by itself, if judged since; 0: never"
    )
    retrain_channel: str = Field(default="", description="id of the channel where such a run is told; empty: nowhere")
    health_port: int = Field(default=0, ge=0, le=65535, description="where /live and /ready answer; 0: nowhere")
    health_host: str = Field(default="127.0.0.1", description="the address that the health page listens on")
