"""Kombu's transport over Redis, with a client that each channel keeps and one command where kombu's own takes four."""

from time import time
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from kombu.utils.json import dumps

# What a consumer has taken and not acknowledged is kept by its tag, and by when it was taken, at once or not at all.
_TAKE = "redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1]) redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])"
_FORGET = "redis.call('ZREM', KEYS[2], ARGV[1]) redis.call('HDEL', KEYS[1], ARGV[1])"


class QoS(redis.QoS):
    """What a consumer has taken: kept and forgotten by a script, where kombu's own sends MULTI, two commands and EXEC."""

    channel: "Channel"

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a message that was taken until it is acknowledged."""
        came_by = message.delivery_info
        kept = dumps([message._raw, came_by["exchange"], came_by["routing_key"]])
        self.channel.run(_TAKE, [self.unacked_key, self.unacked_index_key], [delivery_tag, time(), kept])
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message: what it asked for is done."""
        self.channel.run(_FORGET, [self.unacked_key, self.unacked_index_key], [delivery_tag])
        virtual.QoS.ack(self, delivery_tag)


class Channel(redis.Channel):
    """A channel whose calls share one client: kombu makes a new one for each, which costs more than the call itself.

    A client of redis-py is safe for any thread: it takes a connection of the pool for each call. The client goes with the pool,
    which is another after a fork.
    """

    QoS = QoS
    _kept: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        kombu: Any = super()  # its stubs leave this out
        if asynchronous:  # those that wait for messages have a connection of their own
            return kombu._create_client(asynchronous=True)
        if self._kept is None or self._kept.connection_pool is not self.pool:
            self._kept = kombu._create_client()
            self._scripts = {script: self._kept.register_script(script) for script in (_TAKE, _FORGET)}
        return self._kept

    def run(self, script: str, keys: list[str], arguments: list[Any]) -> None:
        """Have Redis run one of the scripts above."""
        self._create_client()
        self._scripts[script](keys=keys, args=arguments)


class Transport(redis.Transport):
    """Kombu's transport over Redis with such channels."""

    Channel = Channel


def use_kept_clients() -> None:
    """Let every connection to Redis that is opened from now on be of this transport."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:{Transport.__name__}"
