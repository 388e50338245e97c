"""`self.store`: a dict of JSON values that outlives the worker, the host and the machine's power."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Self

from halloween_host.store._shelf import Shelf
from halloween_host.store._values import check_key, decode, encode

__all__ = ["Store"]

_MISSING: Final = object()


class Store(MutableMapping[str, Any]):
    """A dict of one worker: keys are text, values JSON. Callable from any thread; nothing in it waits for a disk.

    Values are copied in and out: assign to change one. ``self.store["best"]["points"] = 3`` changes a copy alone. Each call
    is whole before another begins, `update` with several keys too; ``self.store["n"] += 1`` is two calls.

    Raises:
        StoreError: a `TypeError`, at the assignment of what is not JSON; nothing has changed then.
    """

    __slots__ = ("_shelf",)

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def __getitem__(self, key: str) -> Any:
        return decode(self._shelf.texts[key])

    def __setitem__(self, key: str, value: Any) -> None:
        key = check_key(key)
        self._shelf.put({key: encode(key, value)})

    def __delitem__(self, key: str) -> None:
        with self._shelf.lock:
            self._shelf.texts[key]  # KeyError, as a dict's
            self._shelf.put({key: None})

    def __iter__(self) -> Iterator[str]:
        with self._shelf.lock:
            return iter(list(self._shelf.texts))  # another thread may add a key meanwhile

    def __len__(self) -> int:
        return len(self._shelf.texts)

    def __contains__(self, key: object) -> bool:
        return key in self._shelf.texts

    def __repr__(self) -> str:
        return (
            f"<store of {self._shelf.prop_id}: {len(self)} keys>"  # no value: it may be a secret, on its way to a log
        )

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return self.copy() | dict(other)

    def __ior__(self, other: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Self:
        self.update(other)
        return self

    def copy(self) -> dict[str, Any]:
        """All of it as a dict of its own."""
        with self._shelf.lock:
            texts = dict(self._shelf.texts)
        return {key: decode(text) for key, text in texts.items()}

    def update(self, other: Any = (), /, **more: Any) -> None:
        """As a dict's, and all of it or nothing, on the disk too."""
        changes = dict(other, **more)
        self._shelf.put({key: encode(key, value) for key, value in ((check_key(k), v) for k, v in changes.items())})

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value, or `default` once it is stored; either is a copy: what you append to it is not stored."""
        key = check_key(key)
        text = encode(key, default)
        with self._shelf.lock:
            if key not in self._shelf.texts:
                self._shelf.put({key: text})
            return decode(self._shelf.texts[key])

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        with self._shelf.lock:
            text = self._shelf.texts.get(key)
            if text is None:
                if default is _MISSING:
                    raise KeyError(key)
                return default
            self._shelf.put({key: None})
        return decode(text)

    def popitem(self) -> tuple[str, Any]:
        with self._shelf.lock:
            if not self._shelf.texts:
                raise KeyError("popitem(): the store is empty")
            key = next(reversed(self._shelf.texts))
            return key, self.pop(key)

    def clear(self) -> None:
        with self._shelf.lock:
            self._shelf.put(dict.fromkeys(self._shelf.texts))
