"""These tests run under `just image-test` alone, which names the image: they need root, buildah and some minutes."""

from __future__ import annotations

import os

collect_ignore = [] if "HALLOWEEN_IMAGE" in os.environ else ["test_image.py"]
