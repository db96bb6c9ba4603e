"""Explain what Python refuses in a user's page, such as a misspelt field, in one line. Plain Python."""

import ast
import linecache
import os
import re
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from traceback import FrameSummary, extract_tb
from types import TracebackType
from typing import Any

from stacks import config
from stacks.config.checks import field_types, has_type
from stacks.config.recommended import recommended

# Frames that say nothing about the page: `recommended` calls ClusterConfig, and `os.environ[...]` is a function of os.
PASSED = {recommended.__code__.co_filename, os.__file__, "<frozen os>"}


def explain(error: BaseException, traceback: TracebackType | None) -> str | None:
    """The mistake with its line. None where the line alone would not explain the error, so that a traceback is due."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}, line {error.lineno}: {error.msg}{'' if error.msg.endswith('?') else '.'}"
    frames = [frame for frame in extract_tb(traceback) if frame.filename not in PASSED]
    if not frames or not isinstance(error, Exception):
        return None
    made = re.match(r"(\w+)\.__init__\(\) (.+)", str(error)) if isinstance(error, TypeError) else None
    kind = getattr(config, made[1], None) if made else None
    if made and isinstance(kind, type):
        line, what = _of_call(kind, made[2], frames[-1])
        return f"{os.path.relpath(frames[-1].filename)}, line {line}: {what} The fields are in docs/options.md."
    if len(frames) > 1:
        return None
    known = traceback.tb_frame.f_globals if traceback and isinstance(error, NameError) else {}
    what = f"{type(error).__name__}: {error}.{_nearest(getattr(error, 'name', None), known)}"
    return f"{os.path.relpath(frames[0].filename)}, line {frames[0].lineno}: {what}"


def _of_call(kind: type, refusal: str, frame: FrameSummary) -> tuple[int | None, str]:
    """What is wrong with the call of a class of the configuration, and the line; `refusal` is Python's."""
    call = _call(frame)
    name = ast.unparse(call.func) if call else kind.__name__
    names = re.findall(r"'(\w+)'", refusal)
    if "unexpected keyword" in refusal:
        line = next((keyword.value.lineno for keyword in call.keywords if keyword.arg == names[0]), None) if call else None
        return line or frame.lineno, f"{name} does not have the field {names[0]}.{_nearest(names[0], field_types(kind))}"
    if "missing" in refusal:
        return frame.lineno, f"{name} must be given {' and '.join(names)}."
    if "positional argument" in refusal:
        given = (call and _named(kind, call, frame)) or f"{next(field.name for field in fields(kind) if field.kw_only)}=..."
        return frame.lineno, f"{name} takes its fields by name: write {name}({given})."
    return frame.lineno, f"{name} {refusal}."


def _nearest(name: str | None, known: Iterable[str]) -> str:
    """What Python adds to some errors, from 3.12 or 3.13 on."""
    near = get_close_matches(name or "", known, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _call(frame: FrameSummary) -> ast.Call | None:
    """The call that a frame was at."""
    place = (frame.lineno, frame.colno, frame.end_lineno, frame.end_colno)
    for node in ast.walk(ast.parse("".join(linecache.getlines(frame.filename)))):
        if isinstance(node, ast.Call) and (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset) == place:
            return node
    return None


def _named(kind: type, call: ast.Call, frame: FrameSummary) -> str:
    """The arguments of a call, each with the first field that it fits; required fields come first. "" if one is not a literal."""
    text = "".join(linecache.getlines(frame.filename))
    present = {keyword.arg for keyword in call.keywords}
    known = {field.name: field for field in fields(kind)}
    left = sorted((known[name] for name in field_types(kind) if name not in present), key=_has_default)
    named = []
    for argument in call.args:
        try:
            value = ast.literal_eval(argument)
        except ValueError:
            return ""
        field = next((field for field in left if has_type(value, field_types(kind)[field.name])), None)
        if field is None:
            return ""
        left.remove(field)
        source = " ".join((ast.get_source_segment(text, argument) or "...").split())
        named.append(f"{field.name}={source}" if field.kw_only else source)
    return ", ".join([*named, "..."] if call.keywords else named)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING
