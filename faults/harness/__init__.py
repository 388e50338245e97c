"""Faults done to real parts many times over, and every promise held against all that was seen."""

from faults.harness._rows import Fault, FaultError, Figure, Finding, Limit
from faults.harness._scene import Scene

__all__ = ["Fault", "FaultError", "Figure", "Finding", "Limit", "Scene"]
