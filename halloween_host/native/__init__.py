"""Native workers run here: one instance in a Trio nursery of its own."""

from halloween_host.native._home import NativeHome, open_native_home

__all__ = ["NativeHome", "open_native_home"]
