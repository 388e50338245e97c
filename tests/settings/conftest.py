"""What the tests of settings share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from halloween_host.errors import InvalidSettings, SettingsError
from halloween_host.settings import load_settings

Refused = Callable[..., list[SettingsError]]


@pytest.fixture
def refused() -> Refused:
    """Load settings that must be refused; gives the problems."""

    def load(environ: dict[str, str], broker: str | None = None) -> list[SettingsError]:
        with pytest.raises(InvalidSettings) as caught:
            load_settings(environ, broker=broker)
        return list(caught.value.problems)

    return load
