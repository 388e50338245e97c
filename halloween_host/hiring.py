"""Hiring makes, of each worker that was loaded, its supervisor and its connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog

from halloween_host import legacy, topics
from halloween_host.ears import Ear, Ears
from halloween_host.link import Link, Session
from halloween_host.loader import WorkerSpec
from halloween_host.mqtt import Message
from halloween_host.native import open_native_home
from halloween_host.presence import HostVoice, Presence, Voice, will_of
from halloween_host.router import arrival_of
from halloween_host.supervisor import Standing, Supervisor, Surroundings
from halloween_host.worker import Blueprint, HomeFactory, Hooks

__all__ = ["Crew", "MakeLink"]

_HOMES: Final[Mapping[str, HomeFactory]] = {
    "native": open_native_home,
    "legacy": lambda *given: legacy.open_legacy_home(*given),  # which imports asyncio
}

_log: Final = structlog.stdlib.get_logger()


class MakeLink(Protocol):
    """Makes a link under a client id, with the options of `Link`."""

    def __call__(self, session: Session, client_id: str, **options: Any) -> Link: ...


class Crew:
    """Everybody who was hired; nobody has started yet.

    `subscribed` tells whether the broker took the host's `cmd` subscription. `links` are the presences' connections; `ears`
    run their own.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        hooks: Hooks,
        make_link: MakeLink,
        *,
        client_id: str,
        subscribed: Callable[[], bool],
    ) -> None:
        self.supervisors: dict[str, Supervisor] = {}
        self.presences: list[Presence] = []
        self.links: list[Link] = []
        self.ears = Ears(self._hear, self._connect_ear)
        self._surroundings = surroundings
        self._hooks = hooks
        self._make_link = make_link
        self._client_id = client_id
        self._subscribed = subscribed

    def hire(self, specs: Sequence[WorkerSpec], *, presence_max: int) -> None:
        """Supervisors in the order of their prop ids; a presence for those who insist on one, then for the first by name."""
        wanting = [spec for spec in specs if spec.terms.presence is not False]
        first = sorted(wanting, key=lambda spec: (not spec.terms.presence, spec.prop_id))
        present = {spec.prop_id for spec in first[:presence_max]}
        for spec in sorted(specs, key=lambda spec: spec.prop_id):
            self._hire(spec, present=spec.prop_id in present)
        if without := len(wanting) - len(present):
            _log.info(
                f"{without} of {len(specs)} workers have no connection of their own (PRESENCE_MAX={presence_max}): "
                f"their online counts only while {topics.HOST} is online"
            )

    def _hire(self, spec: WorkerSpec, *, present: bool) -> None:
        prop_id = spec.prop_id
        around = self._surroundings
        host_voice = HostVoice(prop_id, around.outbox)
        voice: Voice = host_voice
        if present:
            voice = presence = Presence(
                prop_id, host_voice, allowed=self._subscribed, changed=lambda: supervisor.voice_changed()
            )
            self.presences.append(presence)
            client_id = f"{self._client_id}-{prop_id}"
            self.links.append(
                self._make_link(presence.serve, client_id, will=will_of(prop_id), name=prop_id, failed=presence.failed)
            )
        supervisor = Supervisor(
            Blueprint(prop_id, spec.worker_class, spec.config.values, spec.actions, spec.cargo),
            _HOMES[spec.dialect],
            lambda dispatcher: Standing(
                prop_id,
                spec.dialect,
                voice,
                around.outbox,
                around.reviews,
                wall=around.wall,
                mailbox=dispatcher,
            ),
            around,
            subscriptions=Ear(prop_id, self.ears),
            terms=spec.terms,
            hooks=self._hooks,
        )
        self.supervisors[prop_id] = supervisor

    def _hear(self, prop_id: str, message: Message) -> None:
        self.supervisors[prop_id].deliver(arrival_of(message, None))

    def _connect_ear(self, prop_id: str, session: Session) -> Callable[[], Awaitable[None]]:
        # no prop id holds a "/", so no presence has this client id
        return self._make_link(session, f"{self._client_id}-{prop_id}/ear", name=prop_id).run
