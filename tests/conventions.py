"""The conventions of the house as functions: a module's path in the package and its tree give what breaks them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import PurePosixPath

Rule = Callable[[str, ast.Module], Iterator[str]]

LAYERS = {
    "errors": 0, "log": 0, "sql": 0, "config": 1, "contract": 1, "lake": 2, "sources": 2, "marts": 3,
    "walk": 4, "connect": 5, "tell": 5, "watch": 5, "demo": 5, "commands": 6, "cli": 7, "__main__": 8,
}  # fmt: skip
"""The order in which the parts of the package may know each other: a part imports its own layer and lower ones."""

MAY_READ_CLOCK = {
    "walk/run.py": "the instant of publishing is written beside the snapshot, never into a table",
}
"""Modules of the pure parts that read the clock, and why."""

MAY_WRITE = {
    "lake/disk.py": "the one durable publish",
    "log.py": "the log is a help and no data: what a power cut takes of it is missed by nobody",
    "walk/lines.py": "scratch: a file re-written to one kind of line end for the reader, removed after staging",
    "walk/text_rows.py": "scratch: a reader's rows as text, removed after staging",
    "demo/given.py": "downloads of the demo: made again from the seed when asked for",
    "connect/collect.py": "scratch outside of the lake: members of a zip while feeds are asked about them",
    "connect/fetch.py": "scratch: the files of a pull until all of them came",
    "walk/accept.py": "scratch: members of a zip while they are identified; what is kept goes through lake/disk.py",
}
"""Modules that open files for writing, and why their bytes need no durable publish."""

MAY_NAME_SOURCES = {
    "lake/zones.py": "examples in the comments of a new bedrot.toml",
    "marts/settings.py": "an example in the sentence of an error",
    "marts/store_groups.csv": "names of stores on statements, one of which is also a service",
}
"""Files outside a source's folder that name it, and why."""

_PURE = ("contract/", "sources/", "marts/", "walk/")
_READS_CLOCK_FOR_A_LIVING = {"walk/accept.py", "walk/archive.py"}
_CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime"}
_CLOCK_OWNERS = {"datetime", "date", "time"}
_CHANCE = {"random", "secrets", "uuid", "locale"}
_SQL_CLOCK = re.compile(
    # `random() >= 0` is always true: it tells the engine not to move a condition.
    r"\b(now\(\)|current_date|current_timestamp|today\(\)|get_current_\w+\(|random\(\)(?! >= 0)|uuid\(\)"
    r"|gen_random_uuid)",
    re.IGNORECASE,
)
_INEXACT = re.compile(r"\bAS\s+(DOUBLE|FLOAT|REAL)\b|::\s*(DOUBLE|FLOAT|REAL)\b", re.IGNORECASE)
_WRITES = {
    "write_text",
    "write_bytes",
    "NamedTemporaryFile",
    "rename",
    "touch",
    "copyfile",
    "copy2",
    "copytree",
    "move",
}
_OS_WRITES = {"rename", "replace", "link", "symlink", "unlink", "remove", "truncate"}

_INPUT = {
    "account", "amount_text", "artist", "because", "country", "heading", "id", "isrc", "message", "original", "reason",
    "relative", "spelling", "store", "title", "upc",
}  # fmt: skip
"""Names that stand for what comes from files and persons: they reach SQL through bedrot.sql or a parameter only."""


def broad_except(path: str, tree: ast.Module) -> Iterator[str]:
    """One broad `except` in the package, in cli.py."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)]
    allowed = 1 if path == "cli.py" else 0
    for node in found[allowed:]:
        yield f"line {node.lineno}: a broad except hides what went wrong"


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(one) for one in caught.elts)
    return caught is None or ast.unparse(caught) in {"Exception", "BaseException"}


def printing(path: str, tree: ast.Module) -> Iterator[str]:
    """Only the commands speak to a person."""
    if path == "cli.py" or path.startswith("commands/"):
        return
    for node in _calls(tree):
        said = ast.unparse(node.func)
        if said == "print" or said.startswith(("sys.stdout.", "sys.stderr.")):
            yield f"line {node.lineno}: {said} outside of the commands"


def environment(path: str, tree: ast.Module) -> Iterator[str]:
    """The environment is read in config.py."""
    if path == "config.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv", "os.putenv"}:
            yield f"line {node.lineno}: {ast.unparse(node)} outside of config.py"
        if isinstance(node, ast.ImportFrom) and node.module == "os" and {"environ", "getenv"} & _imported(node):
            yield f"line {node.lineno}: the environment outside of config.py"


def naive_datetime(path: str, tree: ast.Module) -> Iterator[str]:
    """No instant without a zone, and no day of the machine's own zone."""
    for node in _calls(tree):
        said = ast.unparse(node.func)
        last, zoned = said.rpartition(".")[2], len(node.args) + len(node.keywords)
        naive = (
            last in {"utcnow", "utcfromtimestamp"}
            or (last == "fromtimestamp" and zoned < 2)
            or (said.endswith(("datetime.now", "date.today", "datetime.today")) and zoned < 1)
        )
        if naive:
            yield f"line {node.lineno}: {said} without a zone"


def inexact_money(path: str, tree: ast.Module) -> Iterator[str]:
    """No binary fraction anywhere: no float(), no DOUBLE in SQL."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float":
            yield f"line {node.lineno}: float() cannot hold an amount"
    for line, text in _texts(tree):
        if _INEXACT.search(text):
            yield f"line {line}: SQL of a binary fraction"


def writing(path: str, tree: ast.Module) -> Iterator[str]:
    """Bytes are written by lake/disk.py, which makes them durable."""
    if path in MAY_WRITE:
        return
    for node in _calls(tree):
        said = ast.unparse(node.func)
        last, owner = said.rpartition(".")[2], said.rpartition(".")[0]
        if last in _WRITES or (owner == "os" and last in _OS_WRITES) or (last == "open" and _opens_to_write(node)):
            yield f"line {node.lineno}: {said} writes past lake/disk.py"


def _opens_to_write(node: ast.Call) -> bool:
    modes = [arg for arg in node.args[:2] if isinstance(arg, ast.Constant)]
    modes += [word.value for word in node.keywords if word.arg == "mode" and isinstance(word.value, ast.Constant)]
    return any(isinstance(mode.value, str) and re.fullmatch(r"[rbt]*[wax+][wxabt+]*", mode.value) for mode in modes)


def layers(path: str, tree: ast.Module) -> Iterator[str]:
    """No part imports a later layer; a source knows the contract and itself, its connector what connectors share."""
    part = path.split("/", maxsplit=1)[0].removesuffix(".py")
    asking = part == "sources" and PurePosixPath(path).name.startswith("connect")
    own = LAYERS["connect"] if asking else LAYERS.get(part)
    if own is None:
        if path != "__init__.py":
            yield f"the part '{part}' has no layer: give it one"
        return
    for line, module in _package_imports(tree):
        names = module.split(".")
        other = names[1] if len(names) > 1 else "__init__"
        if LAYERS.get(other, 0) > own:
            yield f"line {line}: {part} imports {module}, which is a later layer"
        if part == "sources" and "/" in path.removeprefix("sources/"):
            same = names[1:3] == ["sources", path.split("/")[1]]
            if other not in {"contract", "errors", "sql", *(["connect"] if asking else [])} and not same:
                yield f"line {line}: a source imports {module}"


def clock_and_chance(path: str, tree: ast.Module) -> Iterator[str]:
    """Staging and curated are pure: no clock, no chance, no locale."""
    if not path.startswith(_PURE) or path in MAY_READ_CLOCK or path in _READS_CLOCK_FOR_A_LIVING:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {node.module} if isinstance(node, ast.ImportFrom) else {one.name for one in node.names}
            for name in names & _CHANCE:
                yield f"line {node.lineno}: imports {name}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCKS:
            owner = ast.unparse(node.func.value).rpartition(".")[2]
            if owner in _CLOCK_OWNERS:
                yield f"line {node.lineno}: reads the clock"
    for line, text in _texts(tree):
        if _SQL_CLOCK.search(text) and not path.startswith("sources/"):
            yield f"line {line}: SQL that reads the clock or chance"


def sql_of_input(path: str, tree: ast.Module) -> Iterator[str]:
    """What comes from files and persons reaches SQL quoted by bedrot.sql or as a parameter.

    Looks at every f-string, join, sum and `format` that a function hands to `execute`, directly or by a local name. It
    trusts names that do not stand for input (SQL made by other functions), so it shows slips, not malice.
    """
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        bound = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in _calls(function):
            if isinstance(call.func, ast.Attribute) and call.func.attr in {"execute", "executemany"} and call.args:
                given = call.args[0]
                if isinstance(given, ast.Name):
                    given = bound.get(given.id, given)
                yield from (f"line {call.lineno}: {said}" for said in _unquoted(given))


def _unquoted(made: ast.expr) -> Iterator[str]:
    """What is put into a text of SQL without being quoted."""
    for node in ast.walk(made):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            yield "SQL made by format()"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            yield "SQL made by %"
        if isinstance(node, ast.JoinedStr):
            yield from _unquoted_parts(node)


def _unquoted_parts(made: ast.JoinedStr) -> Iterator[str]:
    for before, part in zip([None, *made.values], made.values, strict=False):
        if not isinstance(part, ast.FormattedValue):
            continue
        said = ast.unparse(part.value)
        last = said.rpartition(".")[2]
        if isinstance(part.value, ast.Name | ast.Attribute) and (last in _INPUT or said.endswith(".name")):
            yield f"{{{said}}} stands in SQL without bedrot.sql"
        if part.conversion != -1:
            yield f"{{{said}!r}} stands in SQL as Python writes it"
        if isinstance(before, ast.Constant) and str(before.value).endswith("'"):
            yield f"'{{{said}}}' is quoted by hand"


def long_modules(path: str, tree: ast.Module, limit: int = 320) -> Iterator[str]:
    """A module is read at one sitting."""
    last = max((node.end_lineno or 0 for node in ast.walk(tree) if isinstance(node, ast.stmt)), default=0)
    if last > limit:
        yield f"{last} lines: make it two modules"


def long_functions(path: str, tree: ast.Module, limit: int = 60) -> Iterator[str]:
    """A function fits on a screen."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > limit:
                yield f"line {node.lineno}: {node.name} has {lines} lines"


def docstrings(path: str, tree: ast.Module) -> Iterator[str]:
    """Each module, and each public class and function of it, says in a sentence what it is."""
    if not ast.get_docstring(tree):
        yield "the module says nothing about itself"
    for holder in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        for node in holder.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            said = ast.get_docstring(node) or ""
            if not said.split("\n\n", maxsplit=1)[0].rstrip().endswith((".", ":", "`")):
                yield f"line {node.lineno}: {node.name} has no sentence"


RULES: tuple[Rule, ...] = (
    broad_except, printing, environment, naive_datetime, inexact_money, writing, layers, clock_and_chance, sql_of_input,
    long_modules, long_functions, docstrings,
)  # fmt: skip


@cache
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


def breaches(rule: Rule, path: PurePosixPath | str, text: str) -> list[str]:
    """What breaks a rule in a module's text, with the module's path in front."""
    return [f"{path}: {said}" for said in rule(str(path), _tree(text))]


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _imported(node: ast.ImportFrom) -> set[str]:
    return {one.name for one in node.names}


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts of a module that are not docstrings, with their lines."""
    said = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def _package_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Imports of the package, wherever they stand but under TYPE_CHECKING; names of submodules spelled out."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names if one.name.split(".")[0] == "bedrot")
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bedrot":
            for one in node.names:
                yield node.lineno, f"{node.module}.{one.name}"
