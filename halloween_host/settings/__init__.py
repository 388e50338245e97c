"""The environment and `--broker` become frozen settings, or one error that names every wrong variable at once."""

from halloween_host.settings._load import load_settings
from halloween_host.settings._texts import without_credentials
from halloween_host.settings._values import BrokerSettings, Settings, Toggles
from halloween_host.settings._variables import VARIABLES, Variable

__all__ = ["VARIABLES", "BrokerSettings", "Settings", "Toggles", "Variable", "load_settings", "without_credentials"]
