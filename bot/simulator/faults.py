"""What can be made to go wrong on purpose."""

Failure = int | str


class Faults:
    """Faults that wait for their moment; each is used up once it has happened."""

    def __init__(self) -> None:
        self._acks = 0
        self._duplicates: list[bool] = []
        self._failures: dict[str, list[Failure]] = {}

    def drop_acks(self, n: int) -> None:
        """The next `n` acknowledgements of events get lost on the way."""
        self._acks += n

    def duplicate_next(self, *, new_event_id: bool = True) -> None:
        """The next event is sent twice, the second time under another event id or under the same."""
        self._duplicates.append(new_event_id)

    def fail_next(self, method: str, failure: Failure, times: int = 1) -> None:
        """The next `times` calls of `method` fail: with an HTTP status and no JSON, by a "reset", or with an error code.

        The code "ratelimited" comes with status 429 and Retry-After, any other as Slack refuses: for what no workspace here
        can bring about, such as an administrator's rules.
        """
        self._failures.setdefault(method, []).extend([failure] * times)

    def take_lost_ack(self) -> bool:
        """Whether the acknowledgement that just came gets lost."""
        lost = self._acks > 0
        self._acks -= lost
        return lost

    def take_duplicate(self) -> bool | None:
        """None, or whether the copy of the event at hand gets a new id."""
        return self._duplicates.pop(0) if self._duplicates else None

    def take_failure(self, method: str) -> Failure | None:
        """How the call of `method` at hand fails, if it does."""
        waiting = self._failures.get(method)
        return waiting.pop(0) if waiting else None
