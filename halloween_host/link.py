"""A link keeps one connection to the broker: it comes back by itself, and says once why it is away."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
import trio

from halloween_host.backoff import full_jitter
from halloween_host.dial import Dial
from halloween_host.mqtt import AnyClient, MqttCodeError, MqttError, MqttTimeoutError, ProtocolVersion, Will
from halloween_host.outage import Outage
from halloween_host.settings import BrokerSettings

__all__ = ["Link", "Session"]

#: Seconds: the cap of the back-off while nothing answers there (every prop is `online` within 2 s of the broker's return), while a broker
#: refuses us or is ill, and while somebody else holds our client id.
AWAY_CAP_S: Final = 1.5
BACKOFF_CAP_S: Final = 10.0
CONTESTED_CAP_S: Final = 30.0
#: A connection cut sooner than this after its CONNACK was short; three in a row mean a stranger with our client id.
SHORT_S: Final = 5.0
SHORT_IN_A_ROW: Final = 3
#: A connection that lasted less than this is followed by a pause of at most that; both in seconds.
MOMENT_S: Final = 1.0
GIVE_WAY_S: Final = 0.4
#: Seconds in which the broker answers, when it is there.
PROBE_S: Final = 1.0
#: A trouble is over when a connection lasted this many seconds: a broker that is slow or full takes us again and again.
STEADY_S: Final = 30.0

#: CONNACK: 1 (MQTT 3.1.1, section 3.2.2.3) and 132 (MQTT 5, section 3.2.2.2), unsupported protocol version.
_UNSUPPORTED: Final = (1, 132)
#: MQTT 5, section 3.14.2.1: session taken over.
_TAKEN_OVER: Final = 142

_log: Final = structlog.stdlib.get_logger()

Session = Callable[[AnyClient], Awaitable[None]]


class Link:
    """`session` is run on every connection, until the connection is lost or it returns.

    `name` stands in the log when this is not the host's own connection. `taken_over` is told that another client surely has
    our client id now; the link is over then. `failed`, where given, is told of every attempt that failed, and the log is not.
    While `elsewhere` is true the trouble is the host's own connection's to say, too.
    `random_` gives the jitter.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        dial: Dial,
        session: Session,
        *,
        client_id: str,
        will: Will | None = None,
        name: str = "",
        taken_over: Callable[[str], None],
        failed: Callable[[MqttError], None] | None = None,
        elsewhere: Callable[[], bool] | None = None,
        random_: Callable[[], float] = random.random,
    ) -> None:
        self._broker = broker
        self._dial = dial
        self._session = session
        self._client_id = client_id
        self._will = will
        self._name = f"{name}: " if name else ""
        self._taken_over = taken_over
        self._failed = failed
        self._random = random_
        self._protocol = ProtocolVersion.V311 if broker.protocol == "3.1.1" else ProtocolVersion.V5
        self._outage = Outage(name, elsewhere)
        self._guessing = False  # 3.1.1 is tried because MQTT 5 got no answer
        self._short = 0
        self._speaks = True
        self._contested = False
        self._cap_s = BACKOFF_CAP_S
        self._hurry = trio.Event()

    @property
    def address(self) -> str:
        return f"{self._broker.host}:{self._broker.port}"

    async def run(self) -> None:
        """Connect, serve, come back; ends only by cancellation, when the session returns or another took our client id."""
        if self._failed is not None:
            await self._keep()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._outage.run)
            await self._keep()
            nursery.cancel_scope.cancel()

    async def _keep(self) -> None:
        attempt = -1
        while True:
            connected_at = math.inf
            self._hurry = trio.Event()
            try:
                async with self._dial(self._client_id, self._protocol, self._will) as client:
                    connected_at = trio.current_time()
                    self._say_connected()
                    with self._last_word(client):
                        await self._serve(client)
                    return
            except MqttError as error:
                lasted_s = trio.current_time() - connected_at
                if isinstance(error, MqttCodeError) and error.reason_code == _TAKEN_OVER:
                    self._taken_over("the broker says: session taken over")
                    return
                if lasted_s == -math.inf and self._fall_back(error):
                    continue
                short = -math.inf < lasted_s < SHORT_S
                # A rival has us cut without a word; who says why, or falls silent, is a broker in trouble of its own.
                ill = short and isinstance(error, (MqttCodeError, MqttTimeoutError))
                rival = short and not ill and await self._broker_lives()
                self._judge(error, lasted_s, rival=rival)
                attempt = 0 if lasted_s > -math.inf and not ill and not self._contested else attempt + 1
            if connected_at < math.inf:
                self._hurry = trio.Event()  # what was said of that connection spares the next one no wait
            with trio.move_on_after(self._delay_s(attempt, -math.inf if ill else lasted_s, rival=rival)):
                await self._hurry.wait()

    def fall_silent(self) -> None:
        """The will must not be said any more, whatever ends us: all is said, or the topic is another host's."""
        self._speaks = False

    @contextmanager
    def _last_word(self, client: AnyClient) -> Iterator[None]:
        """What ends us without a good-bye, a defect of ours say, closes the connection by DISCONNECT, which calls the will off
        (MQTT 5, section 3.14.4): then we say it ourselves."""
        try:
            yield
        except MqttError:
            raise
        except BaseException:
            if self._will is not None and self._speaks:
                with suppress(MqttError):
                    client.publish_nowait(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
            raise

    async def _broker_lives(self) -> bool:
        """Whether it answers another client id: then our short connection was cut by somebody, and not by the broker's end."""
        with trio.move_on_after(PROBE_S):
            try:
                async with self._dial(f"{self._client_id}/probe", self._protocol, None):
                    return True
            except MqttCodeError:  # a refusal is an answer too
                return True
            except MqttError:
                return False
        return False

    def hurry(self) -> None:
        """The broker is there: whoever waits for the next try need not."""
        if not self._contested:
            self._hurry.set()

    async def _serve(self, client: AnyClient) -> None:
        """The session; a lost connection is one MqttError, however many of its tasks found out."""
        try:
            await self._session(client)
        except BaseExceptionGroup as group:
            lost, rest = group.split(MqttError)
            if lost is None:
                raise
            if rest is not None:  # cancelled at the same moment: the lost connection is no news any more
                raise rest from None
            error: BaseException = lost
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            raise error from None

    def _fall_back(self, error: MqttError) -> bool:
        """Whether to try MQTT 3.1.1 at once: the broker refused MQTT 5, or said nothing to it."""
        if self._broker.protocol != "auto":
            return False
        if self._guessing:  # 3.1.1 brought nothing either
            self._guessing, self._protocol = False, ProtocolVersion.V5
            return False
        # amqtt 0.12 misreads an MQTT 5 CONNECT that has a will and waits for more of it: it never answers
        self._guessing = isinstance(error, MqttTimeoutError)
        refused = isinstance(error, MqttCodeError) and error.reason_code in _UNSUPPORTED
        if self._protocol is not ProtocolVersion.V5 or not (refused or self._guessing):
            return False
        self._protocol = ProtocolVersion.V311
        if refused:
            _log.info(f"{self._name}the broker speaks no MQTT 5, MQTT 3.1.1 it is", broker=self.address)
        return True

    def _judge(self, error: MqttError, lasted_s: float, *, rival: bool) -> None:
        """Say what happened, and tell a rival for our client id from a broker that is away."""
        connected = lasted_s > -math.inf
        # The connections of props are told to hurry as soon as the host's own is there: they need not ask so often.
        away = not connected and self._failed is None and not isinstance(error, MqttCodeError)
        self._cap_s = AWAY_CAP_S if away else BACKOFF_CAP_S
        # A broker that is not there breaks the row: a rival does not take it away.
        self._short = self._short + 1 if rival else 0
        if not connected and self._failed is not None:
            self._failed(error)
            return
        if lasted_s > CONTESTED_CAP_S:
            self._contested = False
        if lasted_s > STEADY_S:
            self._outage.over()
        if connected and self._contested and self._failed is not None:
            self._failed(error)
        if self._short >= SHORT_IN_A_ROW:
            self._contest(f"{self._short} connections in a row were cut within {SHORT_S:g} s")
        elif self._failed is None and connected:
            self._outage.lost(error)
        elif self._failed is None:
            self._outage.failed(error)

    def _contest(self, evidence: str) -> None:
        """Somebody else may connect with our client id: say so once, and from now on come back slowly."""
        self._contested = True
        who = f"another client uses our client id {self._client_id!r}, or the broker is full"
        self._outage.contested(f"{who} ({evidence}); give each host its own MQTT_CLIENT_ID")

    def _delay_s(self, attempt: int, lasted_s: float, *, rival: bool) -> float:
        if self._contested:
            return full_jitter(attempt + 4, base_s=1.0, cap_s=CONTESTED_CAP_S, random=self._random)
        if lasted_s > -math.inf:
            # A broker that merely restarted is joined again at once. Cut after a moment, we give way for one: where two hosts
            # throw each other out, the newer one gets to sign, and the older one to read it.
            return 0.0 if lasted_s >= MOMENT_S or not rival else GIVE_WAY_S * (0.25 + 0.75 * self._random())
        return full_jitter(attempt, cap_s=self._cap_s, random=self._random)

    def _say_connected(self) -> None:
        self._guessing = False
        if self._failed is None:
            version = "5" if self._protocol is ProtocolVersion.V5 else "3.1.1"
            self._outage.connected(f"MQTT {version}", broker=self.address, client_id=self._client_id)
