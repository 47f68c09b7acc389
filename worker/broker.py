"""Kombu's transport over Redis, for many small tasks: with a client that is kept, and batches where kombu goes one by one."""

import logging
from collections import deque
from time import monotonic, time
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads

log = logging.getLogger(__name__)

# Where a task came so short a time after the one before, more may wait: they are asked for without being waited for.
BUSY_S = 0.05
# What a consumer has taken and not acknowledged is kept by its tag, and by when it was taken. KEYS: what is kept, and since when.
_KEEP = "redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1]) redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])"
_FORGET = "redis.call('ZREM', KEYS[2], unpack(ARGV)) redis.call('HDEL', KEYS[1], unpack(ARGV))"
# Take at most so many from the queues (KEYS from the third on, the urgent first) and keep them as `_KEEP` would, all at once.
_TAKE = """
local taken = {}
for i = 3, #KEYS do
  while #taken < tonumber(ARGV[1]) do
    local item = redis.call('RPOP', KEYS[i])
    if not item then break end
    local sent = cjson.decode(item).properties
    local came_by = cjson.encode(sent.delivery_info.exchange) .. ', ' .. cjson.encode(sent.delivery_info.routing_key)
    redis.call('ZADD', KEYS[2], ARGV[2], sent.delivery_tag)
    redis.call('HSET', KEYS[1], sent.delivery_tag, '[' .. item .. ', ' .. came_by .. ']')
    taken[#taken + 1] = item
  end
end
return taken
"""
_SCRIPTS = (_KEEP, _FORGET, _TAKE)


class Taken(redis.QoS):
    """What a consumer has taken: kept and forgotten by a script, where kombu's own sends MULTI, two commands and EXEC."""

    channel: Any  # a Channel, of which kombu's stubs leave much out

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._kept: set[str] = set()  # by the script that took them
        self._done: deque[str] = deque()  # acknowledged, and not yet forgotten

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a message that was taken until it is acknowledged."""
        if delivery_tag in self._kept:
            self._kept.remove(delivery_tag)
        else:
            came_by = message.delivery_info
            kept = dumps([message._raw, came_by["exchange"], came_by["routing_key"]])
            self.channel.run(_KEEP, self._keys, [delivery_tag, time(), kept])
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message, since what it asked for is done; where a loop runs, at its next turn, together with others."""
        self._done.append(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)
        if not self.channel.connection.has_loop:
            self.forget_done()

    def forget_done(self) -> None:
        """Forget what was acknowledged. Where Redis is away it is given out again later, as whatever is not acknowledged."""
        done = [self._done.popleft() for _ in range(len(self._done))]
        try:
            if done:
                self.channel.run(_FORGET, self._keys, done)
        except self.channel.connection_errors as error:
            log.warning("%d tasks that are done could not be acknowledged: %r", len(done), error)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Give back to the queue what is not acknowledged; not what is."""
        self.forget_done()
        super().restore_unacked_once(stderr)

    def take(self, queue: str, most: int) -> list[Any]:
        """Take at most so many tasks from the queue, which are kept at once: whoever dies here loses none of them."""
        keys = [*self._keys, *(self.channel._q_for_pri(queue, step) for step in self.channel.priority_steps)]
        taken = [loads(bytes_to_str(item)) for item in self.channel.run(_TAKE, keys, [most, time()])]
        self._kept.update(each["properties"]["delivery_tag"] for each in taken)
        return taken

    @property
    def _keys(self) -> list[str]:
        return [self.unacked_key, self.unacked_index_key]


class Channel(redis.Channel):
    """A channel whose calls share one client: kombu makes a new one for each, which costs more than the call itself.

    A client of redis-py is safe for any thread: it takes a connection of the pool for each call. The client goes with the pool,
    which is another after a fork.
    """

    QoS = Taken
    qos: Taken
    connection: "Transport"
    _kept_client: Any = None
    _read_at = 0.0

    def run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """Return what Redis answers to one of `_SCRIPTS`."""
        self._create_client()
        return self._scripts[script](keys=keys, args=arguments)

    def _create_client(self, asynchronous: bool = False) -> Any:
        kombu: Any = super()  # its stubs leave this out
        if asynchronous:  # those that wait for messages have a connection of their own
            return kombu._create_client(asynchronous=True)
        if self._kept_client is None or self._kept_client.connection_pool is not self.pool:
            self._kept_client = kombu._create_client()
            self._scripts = {script: self._kept_client.register_script(script) for script in _SCRIPTS}
        return self._kept_client

    def _brpop_read(self, **options: Any) -> Any:
        kombu: Any = super()
        found = kombu._brpop_read(**options)
        before, self._read_at = self._read_at, monotonic()
        most = self.qos.can_consume_max_estimate()
        if most and self._read_at - before < BUSY_S:
            for queue in self.active_queues:
                for each in self.qos.take(queue, most):
                    self.connection._deliver(each, queue)
                    most -= 1
        return found


class Transport(redis.Transport):
    """Kombu's transport over Redis with such channels."""

    Channel = Channel
    has_loop = False

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Let the loop bring what comes, and at each of its turns forget what was acknowledged."""
        super().register_with_event_loop(connection, loop)
        self.has_loop = True
        loop.on_tick.add(self._forget_done)

    def _forget_done(self) -> None:
        channels: Any = self.channels  # None before the first, for kombu's stubs
        for channel in channels:
            channel.qos.forget_done()


def use_kept_clients() -> None:
    """Let every connection to Redis that is opened from now on be of this transport."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
