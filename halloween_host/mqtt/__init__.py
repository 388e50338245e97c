"""MQTT under Trio and asyncio alike: aiomqtt 2's API over paho's protocol engine, without a thread but for connecting.

What differs from aiomqtt: a refused subscription raises; a Client object is entered once; topics and filters are
strings; `Topic.matches` follows MQTT 3.1.1, section 4.7.2; queues are bounded. Proxies, `queue_type` and
`max_concurrent_outgoing_calls` are not there.
"""

from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from ._any_client import AnyClient
from ._blocking import BlockingClient
from ._client import Client, Subscription
from ._errors import MqttCodeError, MqttError, MqttTimeoutError
from ._keep_alive import next_moment
from ._messages import Message, Messages
from ._options import PayloadType, ProtocolVersion, TLSParameters, Will, encode_payload
from ._outgoing import Receipt
from ._topics import Topic, Wildcard

__all__ = [
    "AnyClient",
    "BlockingClient",
    "Client",
    "Message",
    "Messages",
    "MqttCodeError",
    "MqttError",
    "MqttTimeoutError",
    "PacketTypes",
    "PayloadType",
    "Properties",
    "ProtocolVersion",
    "Receipt",
    "SubscribeOptions",
    "Subscription",
    "TLSParameters",
    "Topic",
    "Wildcard",
    "Will",
    "encode_payload",
    "next_moment",
]
