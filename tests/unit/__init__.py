"""The unit on a real systemd: `scripts/unit-test`."""
