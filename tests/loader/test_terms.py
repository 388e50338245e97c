"""A worker's terms: the environment's, then its class attributes', then those of the `host:` section of its config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from halloween_host.loader import class_terms, environment_terms
from halloween_host.settings import VARIABLES, Settings
from halloween_host.terms import Terms
from tests.loader.conftest import LEGACY, WORKER, Folders

TYPED = """\
import attrs
from halloween_host import BaseWorker

@attrs.frozen
class FoggerConfig:
    burst_ms: int = 5

class Worker(BaseWorker[FoggerConfig]):
    pass
"""


def own(*lines: str, source: str = WORKER) -> str:
    return source + "".join(f"    {line}\n" for line in lines)


def test_the_environment_holds_for_every_worker(folders: Folders) -> None:
    """Each variable lands in the term of its name; what nobody sets is the documented default."""
    folders.prop("coffin")
    folders.builtin("heartbeat")
    catalog = folders.load(
        WORKER_START_TIMEOUT_S="1",
        WORKER_STOP_TIMEOUT_S="2",
        WORKER_SAFE_TIMEOUT_S="3",
        WORKER_RESTART_LIMIT="4",
        WORKER_RESTART_WINDOW_S="5",
        WORKER_MAILBOX_CAPACITY="6",
    )
    assert [spec.terms for spec in catalog.workers] == [Terms(1, 2, 3, 4, 5, 6, presence=None)] * 2
    assert environment_terms(Settings()) == Terms()


def test_the_later_word_wins(folders: Folders) -> None:
    """The section beats the class, the class beats the environment, and each says only what it says."""
    folders.prop(
        "coffin",
        own("start_timeout_s = 60", "stop_timeout_s = 60", "presence = True"),
        config__yaml="lid: oak\nhost: {start_timeout_s: 90, restart_limit: 9}\n",
    )
    spec = folders.only_worker(
        WORKER_START_TIMEOUT_S="1", WORKER_STOP_TIMEOUT_S="1", WORKER_RESTART_LIMIT="1", WORKER_SAFE_TIMEOUT_S="2"
    )
    assert spec.terms == Terms(start_timeout_s=90, stop_timeout_s=60, safe_timeout_s=2, restart_limit=9, presence=True)
    assert spec.config.values == {"lid": "oak"}
    assert spec.warnings == ()


def test_a_parent_class_speaks_for_its_children(folders: Folders) -> None:
    """An inherited attribute counts, the nearest first, as everywhere in Python; `presence = None` takes a parent's word back."""
    source = own("presence = False", "stop_timeout_s = 1.5", "restart_limit = 7").replace("class Worker", "class Base")
    folders.prop("coffin", f"{source}class Worker(Base):\n    presence = None\n    stop_timeout_s = 2\n")
    spec = folders.only_worker()
    assert spec.terms == Terms(stop_timeout_s=2, restart_limit=7)
    assert type(spec.terms.stop_timeout_s) is float
    assert spec.warnings == ()


@pytest.mark.parametrize("base", [WORKER, LEGACY])
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("stop_timeout_s = 'soon'", "stop_timeout_s is 'soon'"),
        ("stop_timeout_s = True", "stop_timeout_s is True"),
        ("stop_timeout_s = 0", "stop_timeout_s is 0"),
        ("stop_timeout_s = float('nan')", "stop_timeout_s is nan"),
        ("stop_timeout_s = float('inf')", "stop_timeout_s is inf"),
        ("stop_timeout_s = 10 ** 400", "stop_timeout_s is 1"),
        ("stop_timeout_s = None", "stop_timeout_s is None"),
        ("restart_limit = 2.0", "restart_limit is 2.0"),
        ("restart_limit = True", "restart_limit is True"),
        ("mailbox_capacity = 1_000_001", "mailbox_capacity is 1000001"),
        ("presence = 1", "presence is 1"),
        ("presence = property(lambda self: True)", "presence is a property"),
        ("def presence(self): return True", "presence is a function"),
        ("async def presence(self): return True", "presence is a function"),
        ("presence = 'x' * 900", "presence is 'xxx"),
    ],
)
def test_what_is_no_setting_is_left_alone(folders: Folders, base: str, line: str, told: str) -> None:
    """A name that a worker of 2025 uses for something else does not count, and one line says so, with its place."""
    path = folders.prop("coffin", own(line, source=base))
    catalog = folders.load()
    (spec,) = catalog.workers
    assert spec.terms == Terms()
    (warning,) = catalog.warnings
    assert spec.warnings == (warning,)
    number = base.count("\n") + 1
    assert warning.startswith(f"{path}:{number}: Worker.{told}")
    name = told.split()[0]
    assert ": not the host's setting of that name, which takes " in warning
    assert len(warning) < len(str(path)) + 250
    assert name in vars(spec.worker_class)


def test_the_section_is_not_the_workers(folders: Folders) -> None:
    """`host:` never reaches `self.config`, nor a settings class that would not know it, nor a dialect's own check."""
    folders.prop("fogger", TYPED, config__yaml="burst_ms: 7\nhost:\n  presence: false\n")
    folders.prop("lantern", LEGACY, config__json='{"host": {"safe_timeout_s": 0.5}}')
    fogger, lantern = folders.load().workers
    assert (fogger.config.values, fogger.terms.presence) == ({"burst_ms": 7}, False)
    assert (lantern.config.values, lantern.terms.safe_timeout_s) == ({}, 0.5)
    assert fogger.config.fresh() == {"burst_ms": 7}


def test_a_builtins_section_counts_too(folders: Folders) -> None:
    """`builtins/<name>.yaml` has a section as a prop's config has."""
    folders.builtin("heartbeat")
    (folders.builtins / "heartbeat.yaml").write_text("host: {presence: true}\n")
    spec = folders.only_worker()
    assert (spec.terms.presence, spec.config.values) == (True, {})


@pytest.mark.parametrize("value", ["192.168.1.5", "null", "[presence]", "5"])
def test_only_a_mapping_is_a_section(folders: Folders, value: str) -> None:
    """A worker of 2025 whose config has a `host` of its own keeps it."""
    folders.prop("coffin", LEGACY, config__yaml=f"host: {value}\n")
    spec = folders.only_worker()
    assert list(spec.config.values) == ["host"]
    assert (spec.terms, spec.warnings) == (Terms(), ())


def test_a_2025_workers_own_mapping_stays(folders: Folders) -> None:
    """Where no key is or resembles one of the host's, a mapping called `host` in an asyncio worker's config is the worker's."""
    path = folders.prop("coffin", LEGACY, config__yaml="host: {address: 10.0.0.9, port: 80, 7: x}\n")
    spec = folders.only_worker()
    assert spec.config.values == {"host": {"address": "10.0.0.9", "port": 80, 7: "x"}}
    assert spec.warnings == (
        f"{path.parent / 'config.yaml'}: 'host' holds no setting of the host's: it stays in self.config",
    )


@pytest.mark.parametrize("source", [WORKER, LEGACY, TYPED])
def test_an_unknown_key_is_an_error(folders: Folders, source: str) -> None:
    """A typo in the section is told at its place, with the name that was perhaps meant; the worker does not load."""
    path = folders.prop("coffin", source, config__yaml="# mine\nhost:\n  stop_timout_s: 9\n")
    error = folders.only_error()
    assert str(error).startswith(f"{path.parent / 'config.yaml'}:3:3: $.host.stop_timout_s: expected one of the keys ")
    assert str(error).endswith("got 'stop_timout_s'; did you mean 'stop_timeout_s'?")


def test_a_native_section_with_nothing_of_ours_is_an_error(folders: Folders) -> None:
    """A native worker's `host:` is always the host's."""
    folders.prop("coffin", config__yaml="host: {address: 10.0.0.9}\n")
    assert "$.host.address: expected one of the keys" in str(folders.only_error())


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("stop_timeout_s: soon", "$.host.stop_timeout_s: expected number, got 'soon'"),
        ("stop_timeout_s: true", "$.host.stop_timeout_s: expected number, got true"),
        ("stop_timeout_s: null", "$.host.stop_timeout_s: expected number, got nothing"),
        ("stop_timeout_s: 0", "$.host.stop_timeout_s: expected a value that Terms takes, got 0: "),
        ("restart_limit: 2.5", "$.host.restart_limit: expected whole number, got 2.5"),
        ("mailbox_capacity: 0", "$.host.mailbox_capacity: expected a value that Terms takes, got 0: "),
        ("presence: 1", "$.host.presence: expected on/off or nothing, got 1"),
    ],
)
def test_a_wrong_value_is_an_error(folders: Folders, section: str, told: str) -> None:
    """Values are checked as strictly as a worker's own settings, each at its place."""
    path = folders.prop("coffin", config__yaml=f"host: {{{section}}}\n")
    error = folders.only_error()
    column = f"host: {{{section}}}".index(section.split()[1]) + 1
    assert str(error).startswith(f"{path.parent / 'config.yaml'}:1:{column}: {told}")


def test_wrong_in_both_parts(folders: Folders) -> None:
    """What is wrong in the section and in the worker's own part is told at once, in the order of the file."""
    folders.prop("fogger", TYPED, config__yaml="burst_ms: many\nhost: {presense: true}\nbrust: 1\n")
    catalog = folders.load()
    assert [error.line for error in catalog.errors] == [1, 2, 3]


def test_a_secret_of_the_environment_is_not_shown(folders: Folders) -> None:
    """A section may be filled from the environment; a value that does not fit is not told, as in a worker's own part."""
    folders.prop("coffin", config__yaml="host: {stop_timeout_s: '${SECONDS_}'}\n")
    assert folders.only_worker(SECONDS_="7").terms.stop_timeout_s == 7
    assert "s3cret" not in str(folders.only_error(SECONDS_="s3cret"))


def test_a_broken_file_has_no_section(folders: Folders) -> None:
    """A config that cannot be parsed leaves the worker under its class's and the environment's terms."""
    folders.prop("coffin", own("presence = True"), config__yaml="host: {presence: false\n")
    (spec,) = folders.load(WORKER_STOP_TIMEOUT_S="2").workers
    assert spec.terms == Terms(stop_timeout_s=2, presence=True)


def test_a_reload_reads_the_terms_anew(folders: Folders) -> None:
    """Class and section count as they are now."""
    path = folders.prop("coffin", own("stop_timeout_s = 1"))
    old = folders.only_worker()
    path.write_text(own("stop_timeout_s = 22"))
    (path.parent / "config.yaml").write_text("host: {presence: true}\n")
    new = folders.again(old).spec
    assert new is not None
    assert (old.terms, new.terms) == (Terms(stop_timeout_s=1), Terms(stop_timeout_s=22, presence=True))


def test_a_class_made_by_hand_has_terms(folders: Folders) -> None:
    """Without any file, as in a rehearsal, the class speaks for itself, and a line without a place is still a line."""
    folders.prop("coffin")
    parent = folders.only_worker().worker_class
    made = type("Made", (parent,), {"stop_timeout_s": 2, "presence": "x", "__module__": "nowhere"})
    terms, ignored = class_terms(made, Terms(safe_timeout_s=9))
    assert terms == Terms(stop_timeout_s=2, safe_timeout_s=9)
    (line,) = ignored
    assert line.startswith("Made.presence is 'x': ")


def test_the_docs_name_every_term() -> None:
    """The table of docs/workers.md has a row for each, worded as its variable is; last come those that are one worker's alone."""
    variables = {each.name: each for each in VARIABLES}
    page = (Path(__file__).parents[2] / "docs" / "workers.md").read_text()
    *names, isolate, presence = (field.name for field in attrs.fields(Terms))
    rows = [(name, variables[f"WORKER_{name.upper()}"]) for name in names]
    table = "\n".join(f"| `{name}` | `{each.name}` | {each.default} | {each.meaning} |" for name, each in rows)
    others = (
        f"| `{isolate}` | `WORKER_ISOLATE` (names) | false | ",
        f"| `{presence}` | none | as `PRESENCE_MAX` allows | ",
    )
    assert f"{table}\n{others[0]}" in page
    assert f"\n{others[1]}" in page
    assert (isolate, presence) == ("isolate", "presence")


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_timeout_s": 0},
        {"safe_timeout_s": float("nan")},
        {"start_timeout_s": float("inf")},
        {"restart_window_s": -1},
        {"restart_limit": 0},
        {"mailbox_capacity": 1_000_001},
    ],
)
def test_terms_are_checked_at_the_door(wrong: Mapping[str, Any]) -> None:
    """Nobody can make terms that a supervisor could not go by."""
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' must be "):
        attrs.evolve(Terms(), **wrong)
