"""With no broker named, the host has one: what already answers on localhost, else a child that dies with the host."""

from __future__ import annotations

from halloween_host.broker._embedded import BrokerAddress, EmbeddedBroker

__all__ = ["BrokerAddress", "EmbeddedBroker"]
