"""How it stands with the first version, while none is live."""

from dataclasses import dataclass
from datetime import datetime

from model.schema import Run


@dataclass(frozen=True)
class FirstTraining:
    """How it stands with the first version, while none is live."""

    run: Run | None  # the newest; None: no trainer has been here yet
    failures: int = 0  # runs that failed one after the other, the newest among them
    retry_at: datetime | None = None  # when the trainer tries again; None: it does not go by the clock, or no more
    has_labels: bool = True  # else there is nothing to train for

    @property
    def failed(self) -> bool:
        """Whether nothing is answered until it is tried again."""
        return self.run is not None and self.run.status == "failed"
