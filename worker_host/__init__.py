"""2025's import path for asyncio workers: names only, the code is halloween_host's."""
