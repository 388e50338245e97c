"""`./just` makes .venv when it must, and only then; whatever is wrong with it, the next call heals it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scripts.conftest import Sandbox

#: Stands for python3 and for .venv/bin/python: `-m venv` and `-m pip` leave what the real ones leave.
PYTHON = """\
case "$1 $2" in
"-c import sys"*) echo "$0" ;;
"-m venv") mkdir -p "$3/bin" && ln -s "$0" "$3/bin/python" ;;
"-m pip")
    bin=$(dirname "$0")
    printf '#!/bin/sh\\nprintf "<%%s>" "$@"\\n' >"$bin/just"
    chmod +x "$bin/just"
    ;;
--version*) echo "Python 3.12.0" ;;
esac
"""
OLD = 'case $1 in --version) echo "Python 3.9.2" ;; *) exit 1 ;; esac'


@pytest.fixture
def haunt(sandbox: Sandbox) -> Sandbox:
    """A machine with a good python3."""
    (sandbox.bin / "chmod").symlink_to("/bin/chmod")
    sandbox.program("python3", PYTHON)
    return sandbox


def made(haunt: Sandbox) -> int:
    return sum(call.startswith("python3 -m venv") for call in haunt.calls)


def handed(haunt: Sandbox, *arguments: str) -> str:
    words = ["--justfile", f"{haunt.root}/justfile", "--working-directory", str(haunt.root), *arguments]
    return "".join(f"<{word}>" for word in words)


def test_the_first_call_makes_the_environment_and_the_next_ones_hand_over(haunt: Sandbox) -> None:
    """One line tells of .venv; the arguments reach the real just as they were; the second call starts no Python."""
    status, output, errors = haunt.run("./just", "test", "-k", "a b")
    assert (status, output) == (0, handed(haunt, "test", "-k", "a b"))
    assert errors == "just: making .venv with Python 3.12.0\n"
    assert any("--require-hashes" in call for call in haunt.calls)
    before = haunt.calls
    assert haunt.run("./just", "check") == (0, handed(haunt, "check"), "")
    assert haunt.calls == before


def test_it_is_found_from_anywhere(haunt: Sandbox, tmp_path: Path) -> None:
    """A call from another folder, or by a symbolic link to a symbolic link, works in the launcher's own folder."""
    (tmp_path / "inner").symlink_to("my haunt/just")
    (tmp_path / "outer").symlink_to(tmp_path / "inner")
    for command in [haunt.root / "just", tmp_path / "outer", Path("inner")]:
        arguments = [command] if command.is_absolute() else [Path("/bin/sh"), command]
        status, output, _ = haunt.run(*arguments, "check", cwd=tmp_path)
        assert (status, output) == (0, handed(haunt, "check"))


@pytest.mark.parametrize("harm", ["unfinished", "no python", "no just", "other tools", "moved"])
def test_a_broken_environment_is_made_anew(haunt: Sandbox, harm: str) -> None:
    """An interrupted first call, a Python that is gone, another lock file, a folder that moved: the next call heals it."""
    haunt.run("./just", "check")
    venv = haunt.root / ".venv"
    match harm:
        case "unfinished":
            (venv / ".just").unlink()
        case "no python":
            (venv / "bin" / "python").unlink()
            (venv / "bin" / "python").symlink_to("/nowhere/python3")
        case "no just":
            (venv / "bin" / "just").unlink()
        case "other tools":
            (haunt.root / "requirements" / "tools.txt").write_text("rust-just==2\n")
        case "moved":
            haunt.root = haunt.root.rename(haunt.root.with_name("elsewhere"))
    status, output, _ = haunt.run("./just", "check")
    assert (status, output, made(haunt)) == (0, handed(haunt, "check"), 2)


def test_two_at_once_make_it_once(haunt: Sandbox) -> None:
    """Two terminals that start together share one .venv, and the lock of a process that is gone holds nobody."""
    (haunt.root / ".venv.lock").symlink_to("999999999")
    processes = [haunt.start(["./just", name]) for name in ("check", "test")]
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    assert outputs == [handed(haunt, "check"), handed(haunt, "test")]
    assert made(haunt) == 1
    assert not (haunt.root / ".venv.lock").is_symlink()


def test_an_old_python_is_one_line(haunt: Sandbox) -> None:
    """A python3 below 3.11 is named with its version; a newer one under its own name is taken instead."""
    haunt.program("python3", OLD)
    assert haunt.run("./just") == (1, "", "just: needs Python 3.11 or newer; here: Python 3.9.2\n")
    haunt.program("python3.12", PYTHON)
    status, _, _ = haunt.run("./just", "check")
    assert status == 0


def test_no_python_is_one_line(sandbox: Sandbox) -> None:
    """A machine without python3 is told what is needed."""
    status, _, errors = sandbox.run("./just")
    assert status == 1
    assert errors.startswith("just: needs Python 3.11 or newer; here: ")
    assert errors.count("\n") == 1


def test_a_python_without_venv_gets_it_from_debian(haunt: Sandbox) -> None:
    """Where `ensurepip` is missing, the package of that very Python is installed first."""
    haunt.program("id", "echo 0")
    haunt.program("apt-get", "exit 0")
    haunt.program("python3", f'case $2 in "import ensurepip"*) exit 1 ;; esac\n{PYTHON}')
    status, output, errors = haunt.run("./just", "check")
    assert (status, output) == (0, handed(haunt, "check"))
    assert errors.startswith("installing python3-venv (apt-get)\n")


def test_run_takes_the_launchers_place(haunt: Sandbox) -> None:
    """After setup the host is the process itself, in the project's folder: its exit status and its signals are its own."""
    haunt.run("./just", "check")
    host = haunt.root / ".venv" / "bin" / "halloween-host"
    host.write_text('#!/bin/sh\necho " $PWD $*"; exit 7\n')
    host.chmod(0o755)
    status, output, _ = haunt.run("./just", "run", "--broker", "embedded:1884")
    assert (status, output) == (7, f"{handed(haunt, 'setup')} {haunt.root} run --broker embedded:1884\n")
