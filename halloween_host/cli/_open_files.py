"""As many open files as we may have: each connection of a worker takes one, and whatever an author opens."""

from __future__ import annotations

import contextlib
import resource

__all__ = ["raise_open_files"]


def raise_open_files() -> None:
    """Raise the soft limit to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, 10_240):  # macOS has no hard limit and takes OPEN_MAX at most (setrlimit(2) there)
        if soft != resource.RLIM_INFINITY and (limit == resource.RLIM_INFINITY or limit > soft):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return
