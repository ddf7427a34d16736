"""The laws of the house that the import linter does not check: sizes, quick starts, the sealed part, no pickle."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import flawsmith

HOME = Path(flawsmith.__file__).parent
SOURCES = sorted(HOME.rglob("*.py"))
MOST_LINES = 500
MOST_BODY_LINES = 60
SEALED = "flawsmith.data.sealed"
WITHOUT_TORCH = ("core", "data")
CODE_IN_FILES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules whose files can run code when they are read."""
CODE_IN_CALLS = {"torch.save", "torch.load", "np.save", "np.load", "numpy.load", "yaml.load", "yaml.full_load"}


def name_of(path: Path) -> str:
    return path.relative_to(HOME.parent).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported(path: Path) -> set[str]:
    """Every module a file names in an import, wherever the import stands; `from a import b` counts as a and a.b."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            found |= {base} | {f"{base}.{each.name}" for each in node.names}
    return found


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    """The module that `from X import ...` names; leading dots are counted from the file's own package."""
    if not node.level:
        return node.module or ""
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*parents, node.module] if node.module else parents)


def calls(path: Path) -> set[str]:
    """Every function a file calls, but for torch.load where it is told to read plain weights only."""
    found = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    return {ast.unparse(node.func) for node in found if not _reads_plain_weights(node)}


def _reads_plain_weights(call: ast.Call) -> bool:
    told = {each.arg: each.value for each in call.keywords}.get("weights_only")
    return ast.unparse(call.func) == "torch.load" and isinstance(told, ast.Constant) and told.value is True


def test_there_are_sources_to_look_at():
    assert len(SOURCES) > 50
    assert SEALED in {name_of(path) for path in SOURCES}


def test_no_file_is_longer_than_the_house_allows():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_function_is_longer_than_the_house_allows():
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {
        f"{name_of(path)}.{node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, kinds)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_BODY_LINES} == {}


def test_nothing_saved_is_code():
    modules = {name_of(path): {name.split(".")[0] for name in imported(path)} & CODE_IN_FILES for path in SOURCES}
    assert {name: used for name, used in modules.items() if used} == {}
    called = {name_of(path): calls(path) & CODE_IN_CALLS for path in SOURCES}
    assert {name: used for name, used in called.items() if used} == {}


def test_only_proof_opens_the_sealed_part():
    offenders = []
    for path in SOURCES:
        if name_of(path).startswith("flawsmith.proof.") or name_of(path) == SEALED:
            continue
        strings = {node.value for node in ast.walk(tree_of(path)) if isinstance(node, ast.Constant)}
        if SEALED in imported(path) or strings & {SEALED, "data.sealed"}:
            offenders.append(name_of(path))
    assert offenders == []


def test_proof_does_open_the_sealed_part():
    """Or the test above looks for the wrong name."""
    users = [name_of(path) for path in SOURCES if SEALED in imported(path) and name_of(path) != SEALED]
    assert users
    assert all(name.startswith("flawsmith.proof.") for name in users)


SEEDS_A_STRANGER = "flawsmith.inspectors.anomalib.engine"
"""anomalib draws from hidden states: while it trains they are seeded, and put back afterwards."""


def test_no_global_randomness():
    """`np.random.default_rng` and the like are fine: the module's own hidden state is not."""
    allowed = {"default_rng", "Generator", "SeedSequence", "PCG64", "Philox"}
    hidden = {
        (name_of(path), name)
        for path in SOURCES
        if name_of(path) != SEEDS_A_STRANGER
        for name in calls(path)
        if name.startswith(("np.random.", "numpy.random.", "random.")) and name.rpartition(".")[2] not in allowed
    }
    assert hidden == set()


def said(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(HOME.parent), "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOADED = "; import sys; print('\\nLOADED', *sorted(name for name in sys.modules if '.' not in name))"
HEAVY = {"torch", "torchvision", "accelerate", "scipy", "skimage", "sklearn", "matplotlib"}


def loaded(code: str, *arguments: str) -> set[str]:
    return set(said(code + LOADED, *arguments).split("LOADED")[1].split())


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import flawsmith") & (HEAVY | {"numpy", "pydantic"})


def test_rooms_that_start_fast_load_no_torch():
    names = [name_of(path) for path in SOURCES if path.relative_to(HOME).parts[0] in WITHOUT_TORCH]
    assert len(names) > 20
    code = "import sys\nfor name in sys.argv[1:]: __import__(name)\nassert 'torch' not in sys.modules, 'torch'\npass"
    said(code, *names)


HELP = """
import sys
from flawsmith.apps.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, None), end.code
pass"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["version"],
        ["run", "--help"],
        ["prove", "--help"],
        ["check", "--help"],
        ["remake", "--help"],
        ["votes", "--help"],
        ["captions", "--help"],
        ["linescan", "--help"],
        ["check", "--layouts"],
    ],
)
def test_help_is_quick(arguments):
    assert "torch" not in loaded(HELP, *arguments)


COMMANDS = (
    "run", "check", "split", "fit", "generate", "filter", "export", "quality", "prove", "remake", "schema", "votes",
    "version",
)  # fmt: skip
DATA_COMMANDS = ("captions", "linescan")


def test_help_shows_every_command():
    shown = said(HELP, "--help")
    assert [command for command in (*COMMANDS, *DATA_COMMANDS) if command not in shown] == []


def test_showing_the_settings_makes_nothing(tmp_path):
    out = tmp_path / "out"
    shown = yaml.safe_load(said(HELP, "run", "demo", "--out", str(out), "--print-config", "split.shots=7"))
    assert shown["split"]["shots"] == 7
    assert list(tmp_path.iterdir()) == []


def test_the_module_can_be_run():
    environment = {**os.environ, "PYTHONPATH": str(HOME.parent)}
    command = [sys.executable, "-m", "flawsmith", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == flawsmith.__version__
