"""The stage that prop authors rehearse on: real worker code in virtual time, on a broker in memory."""

from __future__ import annotations

from ._broker import StageBroker
from ._client import StageClient
from ._packets import BrokerEvent
from ._show import ANYTHING, Show, rehearse
from ._time import rehearsal
from ._transcript import Transcript

__all__ = ["ANYTHING", "BrokerEvent", "Show", "StageBroker", "StageClient", "Transcript", "rehearsal", "rehearse"]
