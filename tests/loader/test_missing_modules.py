"""An import of something that is not there says what to write, or what to install."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.loader.conftest import WORKER, Folders, write


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("import relay", "from . import relay"),
        ("import relay as r", "from . import relay as r"),
        ("import os, relay", "from . import relay"),
        ("from relay import Relay", "from .relay import Relay"),
        ("from relay import (\n    Relay,\n    pins as p,\n)", "from .relay import Relay, pins as p"),
        ("import hw.gpio", "from .hw import gpio"),
        ("from hw.gpio import *", "from .hw.gpio import *"),
        ("__import__('relay')", "from . import relay"),
        ("import importlib; importlib.import_module('relay')", "from . import relay"),
    ],
)
def test_a_bare_import_of_a_sibling_says_what_to_write(folders: Folders, line: str, fix: str) -> None:
    """`import relay` beside `relay.py` is an error with the relative import to write, at its line."""
    folders.prop("coffin", f"import os\n{line}\n" + WORKER, relay__py="", hw___gpio__py="")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/worker.py", 2)
    assert f"write `{fix}`" in error.reason


def test_a_bare_import_out_of_a_sub_package_has_its_dots(folders: Folders) -> None:
    """From a folder of the backend, a file above is two dots away."""
    folders.prop("coffin", "from .hw import gpio\n" + WORKER, hw___gpio__py="\nimport pins\n", pins__py="")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/hw/gpio.py", 2)
    assert "write `from .. import pins`" in error.reason


def test_a_bare_import_between_builtins_says_what_to_write(folders: Folders) -> None:
    """Built-ins are siblings too."""
    folders.builtin("_pins", "")
    path = folders.builtin("heartbeat", "import _pins\n" + WORKER)
    error = folders.only_error()
    assert (error.path, error.line) == (path, 1)
    assert "write `from . import _pins`" in error.reason


def test_a_missing_package_that_is_required(folders: Folders) -> None:
    """A package that the prop's requirements list and nobody installed: `just setup`."""
    folders.prop("coffin", "import no_such_thing\n" + WORKER, requirements__txt="No-Such_Thing[extra] >= 2  # why\n")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/worker.py", 1)
    assert error.reason == (
        "the package 'no_such_thing' is not installed; backend/requirements.txt lists it: run `just setup`"
    )


def test_a_missing_package_that_is_not_required(folders: Folders) -> None:
    """A package that nobody asked for: where to ask for it."""
    path = folders.prop("coffin", "def load():\n    from no_such_thing.deep import x\n\nload()\n" + WORKER)
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/worker.py", 2)
    assert error.reason == (
        f"the package 'no_such_thing' is not installed: write the package that has it into "
        f"{path.parent / 'requirements.txt'}, then run `just setup`"
    )


def test_a_missing_package_of_a_builtin(folders: Folders) -> None:
    """A built-in has no requirements of its own."""
    folders.builtin("heartbeat", "import no_such_thing\n" + WORKER)
    assert folders.only_error().reason == "the package 'no_such_thing' is not installed where the host runs"


def test_a_package_that_lacks_its_own_package(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an installed package fails to import is that package's business, also when a sibling has that name."""
    library = write(tmp_path / "site" / "some_library_of_ours.py", "import relay\n")
    monkeypatch.syspath_prepend(library.parent)
    folders.prop("coffin", "import some_library_of_ours\n" + WORKER, relay__py="")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/worker.py", 1)
    assert error.reason == f"No module named 'relay', which {library} imports"


def test_a_slip_in_our_name_is_guessed(folders: Folders) -> None:
    """A misspelt `halloween_host` is no package to install."""
    folders.prop("coffin", "from haloween_host import BaseWorker\n")
    assert folders.only_error().reason == "there is no module called 'haloween_host'; did you mean 'halloween_host'?"


def test_a_missing_sibling_is_guessed(folders: Folders) -> None:
    """A relative import of a file that is not there names the nearest that is."""
    folders.prop("coffin", "from .rely import Relay\n" + WORKER, relay__py="")
    assert folders.only_error().reason == "No module named 'props.coffin.backend.rely'; did you mean 'relay'?"


def test_a_missing_name_is_pythons_text(folders: Folders) -> None:
    """A name that a sibling does not have is told with the sibling's file."""
    folders.prop("coffin", "\nfrom .relay import Rely\n" + WORKER, relay__py="Relay = 1\n")
    error = folders.only_error()
    assert folders.place(error) == ("coffin/backend/worker.py", 2)
    assert "cannot import name 'Rely' from 'props.coffin.backend.relay'" in error.reason
