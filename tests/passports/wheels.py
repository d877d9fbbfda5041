"""What the installed wheels say of a scheme: its classes, its parameters, and the lines where it acknowledges.

Nothing here knows a scheme by name. It runs in whichever environment has the scheme's provider, on the standard
library and Airflow alone.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import re
import warnings
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGING = "apache-airflow-providers-common-messaging"


class PassportError(Exception):
    """Something that a passport needs is not in the wheel any more: what, and where it was looked for."""


def providers() -> dict[str, Any]:
    """Return scheme → queue provider, as discovered in this environment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, at its import
        from airflow.providers.common.messaging.triggers import msg_queue

    return {one.scheme: one for one in msg_queue.MESSAGE_QUEUE_PROVIDERS if one.scheme}


def read(scheme: str, queue: str, places: list[dict[str, str]]) -> dict[str, Any]:
    """Read what the wheels say of a scheme.

    Args:
        scheme: As in `MessageQueueTrigger(scheme=…)`.
        queue: A URI such as the scheme might take for `queue=`.
        places: Where it acknowledges and hands over: `{what, function, code}`, the function as `module:Class.method`
            and the code as it begins.

    Raises:
        PassportError: No installed provider has the scheme, or the code is not where it was.
    """
    found = providers()
    if scheme not in found:
        raise PassportError(f"no installed provider has the scheme {scheme}; there are {', '.join(sorted(found))}")
    provider = found[scheme]
    trigger = provider.trigger_class()
    package = _distribution(type(provider).__module__)
    from airflow.triggers.base import BaseEventTrigger

    return {
        "scheme": scheme,
        "package": package,
        "version": metadata.version(package),
        "airflow": metadata.version("apache-airflow-core"),
        "messaging": metadata.version(MESSAGING),
        "provider": _name(type(provider)),
        "trigger": _name(trigger),
        "mro": [_name(one) for one in trigger.__mro__ if one.__module__.startswith("airflow")],
        "event_trigger": issubclass(trigger, BaseEventTrigger),
        "summary": _plain(inspect.getdoc(trigger) or "").partition("\n\n")[0].replace("\n", " "),
        "parameters": parameters(trigger),
        "queue": _queue(provider, queue),
        "lines": [_line(**place) for place in places],
        "evidence": fingerprint(places),
    }


def _distribution(module: str) -> str:
    """Return the package that brought a module of a provider."""
    file = inspect.getfile(importlib.import_module(module))
    for one in metadata.entry_points(group="apache_airflow_provider"):
        if one.dist and any(str(one.dist.locate_file(each)) == file for each in one.dist.files or ()):
            return str(one.dist.name)
    raise PassportError(f"no provider's package has {file}")


def _name(one: type) -> str:
    return f"{one.__module__}.{one.__qualname__}"


# Parameters.


def parameters(trigger: type) -> list[dict[str, Any]]:
    """Return the constructor's parameters: name, type, default as it is written in Python, and what the doc says."""
    told = documented(trigger)
    out = []
    for one in inspect.signature(trigger).parameters.values():
        has_default = one.default is not inspect.Parameter.empty
        kind = one.annotation if isinstance(one.annotation, str) else getattr(one.annotation, "__name__", "")
        entry = {"name": one.name, "type": "" if kind == "_empty" else kind, "required": not has_default}
        if has_default:
            entry["default"] = repr(one.default)
        out.append({**entry, "doc": told.get(one.name, "")})
    return out


def documented(trigger: type) -> dict[str, str]:
    """Return parameter → what the class's documentation says of it, as one line without markup."""
    out = {}
    for one in reversed(trigger.__mro__):
        text = inspect.cleandoc(one.__dict__.get("__doc__") or "")
        for field in re.finditer(r"^:param (\w+):(.*?)(?=^:|^\S|\Z)", text, re.MULTILINE | re.DOTALL):
            out[field[1]] = " ".join(_plain(field[2]).split())
    return out


def _plain(text: str) -> str:
    """Return reStructuredText with roles and quotes as plain code spans."""
    text = re.sub(r":\w+:`~?([^`<]+?)(?: <[^>]*>)?`", lambda role: f"`{role[1].rpartition('.')[2]}`", text)
    return text.replace("``", "`")


# `queue=`, the older way in.


def _queue(provider: Any, uri: str) -> dict[str, Any]:
    """Tell whether the older `queue=` finds this provider, and by which pattern."""
    pattern = getattr(importlib.import_module(type(provider).__module__), "QUEUE_REGEXP", None)
    accepted = bool(provider.queue_matches(uri))
    own = "queue_matches" in vars(type(provider))
    return {"asked": uri, "accepted": accepted, "overrides": own, "pattern": pattern if own else None}


# Lines of source.


def _line(what: str, function: str, code: str) -> dict[str, Any]:
    """Return where a piece of code stands: file, line and text."""
    file, node, source = _function(function)
    for child in _inner(node):
        text = ast.get_source_segment(source, child) or ""
        if isinstance(child, ast.stmt | ast.Call | ast.Yield) and text.startswith(code):
            line = source.splitlines()[child.lineno - 1].strip()
            return {"what": what, "file": file, "line": child.lineno, "function": _short(function), "code": line}
    raise PassportError(f"{function} in {file} has nothing that begins with `{code}`")


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        yield from _inner(child)


def _short(function: str) -> str:
    return function.partition(":")[2]


@cache
def _function(function: str) -> tuple[str, ast.AST, str]:
    """Return the file of a function (below site-packages), its tree and the file's text."""
    module, _, path = function.partition(":")
    file = Path(inspect.getfile(importlib.import_module(module)))
    source = file.read_text(encoding="utf-8")
    node: ast.AST = ast.parse(source)
    for name in path.split("."):
        inner = [one for one in ast.iter_child_nodes(node) if getattr(one, "name", None) == name]
        if not inner:
            raise PassportError(f"{module} has no {path}")
        node = inner[-1]
    return "/".join(file.parts[file.parts.index("airflow") :]), node, source


def fingerprint(places: list[dict[str, str]]) -> str:
    """Return a digest of the code that a judgement rests on: the functions named, without comments and docstrings."""
    key = hashlib.sha256()
    for name in dict.fromkeys(place["function"] for place in places):
        _, node, source = _function(name)
        key.update(f"{name}\n".encode())
        for line in _code(node, source):
            key.update(f"{line}\n".encode())
    return key.hexdigest()[:12]


def _code(node: ast.AST, source: str) -> Iterator[str]:
    """Yield a function's lines of code; the text and not the tree, which each Python writes out in its own way."""
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    skipped: set[int] = set()
    if ast.get_docstring(node) is not None:
        skipped = set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    for number, line in enumerate(source.splitlines()[node.lineno - 1 : node.end_lineno], start=node.lineno):
        text = line.strip()
        if number not in skipped and text and not text.startswith("#"):
            yield text
