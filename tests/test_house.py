"""The rules of the house, held by machine: imports go up, things stay small, names are public."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "probekit"

#: The ladder, lowest first. A room may import from rooms below its rung, never from its own rung
#: (other than itself) or above.
LADDER: tuple[tuple[str, ...], ...] = (
    ("errors", "cache"),
    ("sites",),
    ("models", "measures", "corpora"),
    ("capture",),
    ("logit_lens", "probing"),
    ("facts",),
    ("instruments", "runs"),
    ("studies", "ablation"),
    ("selection",),
    ("erasure",),
    ("experiment",),
    ("figures",),
    ("report",),
    ("cli",),
    ("__main__",),
)
RUNG = {room: height for height, rooms in enumerate(LADDER) for room in rooms}

#: Longer than the rule allows, each with its reason.
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {
    "probekit/cli/runs.py:run": "one option a study field: typer reads the signature",
}
MANY_POSITIONAL: dict[str, str] = {
    "probekit/models/loading.py:load": "source, revision, dtype: the order everybody knows",
}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "probekit":
                names = [f"probekit.{alias.name}" for alias in node.names]
            assert node.level == 0, f"{path}: relative import"
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("probekit.")}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down_the_ladder(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in RUNG, f"{room} is not on the ladder: give it a rung"
    for other in imported_rooms(path) - {room, "__version__"}:
        assert RUNG[other] < RUNG[room], f"{room} must not import {other}"


def test_the_ladder_notices_a_climb(tmp_path: Path) -> None:
    climb = tmp_path / "climb.py"
    climb.write_text("def f():\n    from probekit.figures import write_page\n", encoding="utf-8")
    assert imported_rooms(climb) == {"figures"}
    assert RUNG["figures"] > RUNG["measures"]


def functions(path: Path) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(ROOT).as_posix()
    return [
        (f"{name}:{node.name}", node)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_small(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines < 400 or name in LONG_FILES, f"{name} has {n_lines} lines"
    for key, node in functions(path):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        assert length < 50 or key in LONG_FUNCTIONS, f"{key} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_at_most_three_positional_parameters_and_none_is_a_switch(path: Path) -> None:
    for key, node in functions(path):
        own = [a for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}]
        private_or_dunder = node.name.startswith("_")
        limit = 4 if private_or_dunder else 3
        assert len(own) <= limit or key in MANY_POSITIONAL, f"{key} has {len(own)} positional"
        for argument in own:
            kind = argument.annotation
            assert not (isinstance(kind, ast.Name) and kind.id == "bool"), f"{key}: {argument.arg}"


def test_exemptions_are_all_needed() -> None:
    lengths = {
        key: (node.end_lineno or 0) - node.lineno + 1 for p in SOURCES for key, node in functions(p)
    }
    assert all(lengths[key] >= 50 for key in LONG_FUNCTIONS)
    assert all(len((ROOT / name).read_text().splitlines()) >= 400 for name in LONG_FILES)


def test_public_names_exist_and_are_exactly_these() -> None:
    import probekit

    assert probekit.__all__ == [
        "ChecksumError",
        "CorpusError",
        "InputError",
        "InterruptedRun",
        "LanguageError",
        "ModelError",
        "NumericalError",
        "ParallelCorpus",
        "ProbekitError",
        "RuleError",
        "Run",
        "RunError",
        "StorageError",
        "Study",
        "StudyError",
        "Subject",
        "__version__",
        "lens",
        "load",
        "open_corpus",
        "open_run",
    ]
    for name in probekit.__all__:
        assert getattr(probekit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = probekit.laod


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=lambda p: p.parent.name)
def test_every_room_says_what_lives_there(path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert doc, f"{path} has no docstring"
    assert len(doc) > 40, f"{path} says too little: {doc!r}"


def test_every_public_function_has_a_docstring() -> None:
    missing = [
        key
        for path in SOURCES
        for key, node in functions(path)
        if not node.name.startswith("_")
        and not ast.get_docstring(node)
        and not is_nested(path, node)
    ]
    assert missing == []


def is_nested(path: Path, inner: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef))
        and outer.lineno < inner.lineno
        and (outer.end_lineno or 0) >= (inner.end_lineno or 0)
        for outer in ast.walk(tree)
    )


def test_importing_probekit_is_light() -> None:
    code = (
        "import sys, probekit; "
        "heavy = {'torch', 'transformers', 'transformer_lens', 'nnsight', 'plotly', 'sklearn', "
        "'datasets', 'pandas', 'xarray', 'typer'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_version_is_said_once() -> None:
    import tomllib

    import probekit

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project.get("version", probekit.__version__) == probekit.__version__
