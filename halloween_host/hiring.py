"""Hiring makes, of each worker that was loaded, its supervisor and its connections."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from halloween_host import legacy, topics
from halloween_host.ears import Ear, Ears
from halloween_host.link import Link, Session
from halloween_host.links import Links
from halloween_host.loader import Anew, WorkerSpec
from halloween_host.mqtt import Message
from halloween_host.native import open_native_home
from halloween_host.presence import HostVoice, Presence, Voice, will_of
from halloween_host.router import arrival_of
from halloween_host.supervisor import Outfit, Standing, Subscriptions, Supervisor, Surroundings, Trial
from halloween_host.worker import Blueprint, HomeFactory, Hooks

if TYPE_CHECKING:
    from halloween_host.isolation import Isolated, Launcher

__all__ = ["Crew", "MakeLink", "supervise"]

_HOMES: Final[Mapping[str, HomeFactory]] = {
    "native": open_native_home,
    "legacy": lambda *given: legacy.open_legacy_home(*given),  # which imports asyncio
}

_log: Final = structlog.stdlib.get_logger()


class MakeLink(Protocol):
    """Makes a link under a client id, with the options of `Link`."""

    def __call__(self, session: Session, client_id: str, **options: Any) -> Link: ...


def _blueprint(spec: WorkerSpec) -> Blueprint:
    return Blueprint(spec.prop_id, spec.worker_class, spec.config.values, spec.actions, spec.cargo)


def supervise(
    spec: WorkerSpec,
    voice: Voice,
    around: Surroundings,
    hooks: Hooks,
    subscriptions: Subscriptions,
    *,
    isolated: bool = False,
) -> Supervisor:
    """The supervisor of a worker in this process, which is the worker's own if it is `isolated`."""
    return Supervisor(
        _blueprint(spec),
        _HOMES[spec.dialect],
        lambda dispatcher: Standing(
            spec.prop_id,
            spec.dialect,
            voice,
            around.outbox,
            around.reviews,
            wall=around.wall,
            mailbox=dispatcher,
            isolated=isolated,
            pid=os.getpid() if isolated else None,
        ),
        around,
        subscriptions=subscriptions,
        terms=spec.terms,
        hooks=hooks,
    )


class Crew:
    """Everybody who was hired; nobody has started yet. Of the `workers` the `supervisors` are those in this process.

    `subscribed` tells whether the broker took the host's `cmd` subscription. `links` are the presences' connections; `ears`
    run their own. Without a `launcher` nobody is isolated, whatever his terms say.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        hooks: Hooks,
        make_link: MakeLink,
        *,
        client_id: str,
        subscribed: Callable[[], bool],
        launcher: Launcher | None = None,
    ) -> None:
        self.workers: dict[str, Supervisor | Isolated] = {}
        self.supervisors: dict[str, Supervisor] = {}
        #: The module that each was loaded from.
        self.modules: dict[str, str] = {}
        self.presences: list[Presence] = []
        self.links = Links()
        self.ears = Ears(self._hear, self._connect_ear)
        self._surroundings = surroundings
        self._hooks = hooks
        self._make_link = make_link
        self._client_id = client_id
        self._subscribed = subscribed
        self._launcher = launcher

    def hire(self, specs: Sequence[WorkerSpec], *, presence_max: int) -> None:
        """Supervisors in the order of their prop ids; a presence for those who insist on one, then for the first by name."""
        wanting = [spec for spec in specs if spec.terms.presence is not False and not self._isolates(spec)]
        first = sorted(wanting, key=lambda spec: (not spec.terms.presence, spec.prop_id))
        present = {spec.prop_id for spec in first[:presence_max]}
        for spec in sorted(specs, key=lambda spec: spec.prop_id):
            self._hire(spec, present=spec.prop_id in present)
        if without := len(wanting) - len(present):
            _log.info(
                f"{without} of {len(specs)} workers have no connection of their own (PRESENCE_MAX={presence_max}): "
                f"their online counts only while {topics.HOST} is online"
            )

    def hire_one(self, spec: WorkerSpec, *, presence_max: int) -> Supervisor | Isolated:
        """One more while the others work; with a presence if there is one left."""
        self._surroundings.outbox.make_room(len(self.workers) + 1)
        self._hire(spec, present=spec.terms.presence is not False and len(self.presences) < presence_max)
        return self.workers[spec.prop_id]

    def reload(self, anew: Anew, discard: Callable[[object], None]) -> Trial:
        """Let a worker of this process go on with what was loaded; `discard` takes the cargo of one that never comes to that."""
        assert anew.spec is not None
        outfit = Outfit(
            _blueprint(anew.spec),
            _HOMES[anew.spec.dialect],
            anew.spec.terms,
            put_on=anew.modules.put_back,
            let_go=partial(discard, anew.spec.cargo),
        )
        return self.supervisors[anew.spec.prop_id].reload(outfit, anew.before.put_back)

    def _hire(self, spec: WorkerSpec, *, present: bool) -> None:
        prop_id = spec.prop_id
        around = self._surroundings
        self.modules[prop_id] = spec.module
        if self._launcher is not None and spec.terms.isolate:
            self.workers[prop_id] = self._isolate(spec, self._launcher)
            return
        host_voice = HostVoice(prop_id, around.outbox)
        voice: Voice = host_voice
        if present:
            voice = presence = Presence(
                prop_id, host_voice, allowed=self._subscribed, changed=lambda: supervisor.voice_changed()
            )
            self.presences.append(presence)
            client_id = f"{self._client_id}-{prop_id}"
            self.links.add(
                self._make_link(presence.serve, client_id, will=will_of(prop_id), name=prop_id, failed=presence.failed)
            )
        supervisor = supervise(spec, voice, around, self._hooks, Ear(prop_id, self.ears))
        self.workers[prop_id] = self.supervisors[prop_id] = supervisor

    def _isolate(self, spec: WorkerSpec, launcher: Launcher) -> Isolated:
        from halloween_host.isolation import Isolated  # most houses have none

        if spec.cargo is not None:
            legacy.discard(spec.cargo)  # its own process imports it into a loop of its own
        return Isolated(spec, launcher, self._surroundings, request_panic=self._hooks.request_panic)

    def _isolates(self, spec: WorkerSpec) -> bool:
        return spec.terms.isolate and self._launcher is not None

    def _hear(self, prop_id: str, message: Message) -> None:
        self.supervisors[prop_id].deliver(arrival_of(message, None))

    def _connect_ear(self, prop_id: str, session: Session) -> Callable[[], Awaitable[None]]:
        # no prop id holds a "/", so no presence has this client id
        client_id = f"{self._client_id}-{prop_id}/ear"
        return self._make_link(session, client_id, name=prop_id, elsewhere=lambda: not self._subscribed()).run
