"""halloween_host runs the brains of a haunt's props as supervised workers and bridges them to MQTT."""

from halloween_host.worker import BaseWorker, action

__all__ = ["BaseWorker", "action"]
