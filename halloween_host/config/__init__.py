"""A prop's config file becomes a plain dict, and its declared class if there is one; every problem has a place in the file."""

from halloween_host.config._loaded import LoadedConfig
from halloween_host.config._read import MAX_CONFIG_BYTES, load_config
from halloween_host.config._typed import structure_config

__all__ = ["MAX_CONFIG_BYTES", "LoadedConfig", "load_config", "structure_config"]
