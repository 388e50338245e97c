"""A fault that cannot be done is an error in its row and the others go on; the exit status says whether all promises were kept."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import attrs
import pytest
import trio

from faults import __main__ as program
from faults.harness import Fault, FaultError, Finding, Scene
from faults.harness._results import Record
from faults.harness._run import Reach, done, run
from tests.faults.findings import RUN, fault, row, timed

Measure: TypeAlias = Callable[[Scene], Awaitable[list[Finding]]]


def quiet(reach: Reach) -> None:
    assert 0 <= reach.done <= reach.times


def ignore(record: Record) -> None:
    assert record.rows


async def good(scene: Scene) -> list[Finding]:
    (scene.folder() / "scratch").write_text("x")
    return [timed([float(number) for number in scene.counted()])]


async def broken(scene: Scene) -> list[Finding]:
    return [timed([1_000.0 for _ in scene.counted()])]


async def failing(scene: Scene) -> list[Finding]:
    raise FaultError("no broker")


def does(measure: Measure, name: str = "a") -> Fault:
    return attrs.evolve(fault(name), measure=measure)


async def test_a_fault_that_fails_is_an_error_of_its_row_and_the_others_go_on() -> None:
    """The record is told of after each."""
    told: list[list[str | None]] = []

    def measured(record: Record) -> None:
        told.append([each.error for each in record.rows])

    record = await run([does(failing), does(good, "b")], RUN, quick=True, progress=quiet, measured=measured)
    assert told == [["no broker"], ["no broker", None]]
    assert [each.kept for each in record.rows] == [False, True]
    assert record.rows[1].times == 3


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (partial(AssertionError, "not seen in 60 s: offline"), "AssertionError: not seen in 60 s: offline"),
        (partial(RuntimeError, "mosquitto did not come up"), "RuntimeError: mosquitto did not come up"),
        (partial(OSError, 28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
    ],
)
@pytest.mark.parametrize("grouped", [False, True])
async def test_what_the_parts_raise_is_the_rows_error(
    raised: Callable[[], Exception], text: str, grouped: bool
) -> None:
    """Also out of a nursery; the notes, a host's log, stand behind it."""

    async def measure(scene: Scene) -> list[Finding]:
        error = raised()
        error.add_note("the host wrote: boo")
        if not grouped:
            raise error
        async with trio.open_nursery():
            raise error

    result = await done(does(measure), RUN, quick=True, progress=quiet)
    assert result.error == f"{text}\nthe host wrote: boo"


async def test_a_fault_that_takes_too_long_is_ended() -> None:
    async def measure(scene: Scene) -> list[Finding]:
        await trio.sleep_forever()
        raise AssertionError

    result = await done(attrs.evolve(does(measure), limit_s=0.05), RUN, quick=True, progress=quiet)
    assert result.error == "not done in 0.05 s"


async def test_the_scratch_folder_is_gone_afterwards() -> None:
    folders: list[Path] = []

    async def measure(scene: Scene) -> list[Finding]:
        folders.extend((scene.folder(), scene.folder()))
        return [timed([1.0])]

    await done(does(measure), RUN, quick=True, progress=quiet)
    assert len(set(folders)) == 2
    assert not any(each.exists() for each in folders)


async def test_progress_tells_of_each_time() -> None:
    told: list[tuple[int, int]] = []
    await done(does(good), RUN, quick=True, progress=lambda reach: told.append((reach.done, reach.times)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(("measure", "status"), [(good, 0), (broken, 1), (failing, 1)])
def test_the_exit_status(measure: Measure, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 when a promise was not kept, and when a fault could not be done; the record is there in any case."""
    monkeypatch.setattr(program, "FAULTS", (does(measure),))
    monkeypatch.setattr(program, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["faults", "--quick"])
    assert program.main() == status
    [path] = tmp_path.glob("*/record.json")
    assert Record.read(path).kept is (status == 0)


def test_earlier_runs_are_shown_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "FAULTS", (fault("a"), fault("b")))
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for name, path in zip("ba", files, strict=True):
        Record([row(name, timed([1.0]))]).write(path)
    monkeypatch.setattr(sys, "argv", ["faults", "--from", *map(str, files)])
    assert program.main() == 0
    out = capsys.readouterr().out
    assert out.index("a breaks") < out.index("b breaks")
    monkeypatch.setattr(sys, "argv", ["faults", "--only", "b", "--from", *map(str, files)])
    assert program.main() == 0
    assert "a breaks" not in capsys.readouterr().out


def test_an_unknown_name_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["faults", "--only", "flood,fire"])
    assert program.main() == 1
    assert "no fault is called fire, flood; --list shows them" in capsys.readouterr().err
