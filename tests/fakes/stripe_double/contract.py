"""Stripe's contract as the installed ``stripe`` package states it: operations and their parameters.

Operations come from the syntax trees of ``stripe/**/_*_service.py`` (method, path, parameter class); parameters
from the TypedDicts in ``stripe.params``. Nothing is fetched and nothing is copied, so the contract always has
the version of the package that the product runs. The module layout read here is private to the package:
``tests/fakes/test_stripe_contract.py`` proves after each upgrade that it still reads right.

Not checked: lengths, rules across fields, shapes of answers (see ``objects``).
"""

import ast
import functools
import importlib
import json
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NotRequired, Required, get_args, get_origin
from urllib.parse import parse_qsl

import stripe
from stripe._request_options import RequestOptions
from typing_extensions import get_type_hints, is_typeddict

from tests.fakes.stripe_double.refusals import Refusal

DECIMAL_PLACES_MAX = 12
_OPTION_NAMES = frozenset(RequestOptions.__annotations__)
_INTEGER = re.compile(r"-?\d+\Z")
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")


@dataclass(frozen=True)
class Operation:
    """One call that the package can make. ``template`` is the path with ``{names}`` for ids."""

    method: str
    template: str
    pattern: re.Pattern[str]
    params_module: str | None
    params_class: str | None
    params_optional: bool


@functools.cache
def _sources() -> tuple[str, ...]:
    root = Path(stripe.__file__).parent
    return tuple(path.read_text(encoding="utf-8") for path in sorted(root.rglob("_*_service.py")))


@functools.cache
def operations(prefix: str = "/") -> tuple[Operation, ...]:
    """Every operation whose path starts with ``prefix``, literal paths before templated ones.

    Only the files that name the prefix are parsed: parsing all 220 takes half a second, two take milliseconds.
    """
    found = [op for source in _sources() if f'"{prefix}' in source for op in _operations_in(source)]
    matching = (operation for operation in found if operation.template.startswith(prefix))
    return tuple(sorted(matching, key=lambda operation: operation.template.count("{")))


def _operations_in(source: str) -> Iterator[Operation]:
    tree = ast.parse(source)
    imported_from = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for service in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for function in (node for node in service.body if isinstance(node, ast.FunctionDef)):
            call = _request_call(function)
            if call is not None:
                yield _operation(function, call, imported_from)


def _request_call(function: ast.FunctionDef) -> ast.Call | None:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "_request":
            return node
    return None


def _operation(function: ast.FunctionDef, call: ast.Call, imported_from: dict[str, str | None]) -> Operation:
    method, path = call.args[0], call.args[1]
    if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):  # "/v1/x/{id}".format(id=…)
        path = path.func.value
    assert isinstance(method, ast.Constant), ast.dump(method)
    assert isinstance(path, ast.Constant), ast.dump(path)
    template = str(path.value)
    annotation = next(
        (ast.unparse(arg.annotation) for arg in function.args.args if arg.arg == "params" and arg.annotation), ""
    )
    names = re.findall(r"\w+Params\b", annotation)
    return Operation(
        method=str(method.value).upper(),
        template=template,
        pattern=re.compile(re.sub(r"\{\w+\}", "([^/]+)", template) + r"\Z"),
        params_module=imported_from.get(names[0]) if names else None,
        params_class=names[0] if names else None,
        params_optional=annotation.startswith("Optional"),
    )


def find_operation(method: str, path: str) -> tuple[Operation, tuple[str, ...]]:
    """The operation that answers ``method path``, and the ids in the path. 404 if there is none."""
    version_and_resource = "/".join(path.split("/")[:3])
    for operation in operations(version_and_resource):
        matched = operation.pattern.match(path) if operation.method == method else None
        if matched:
            return operation, matched.groups()
    raise Refusal(404, f"Unrecognized request URL ({method}: {path}).")


def read_params(operation: Operation, query: str, body: str) -> dict[str, Any]:
    """Decode and check the parameters of a request: from the query of a GET or DELETE, else from the body.

    Integers and booleans come back as such, decimals as strings, arrays as lists. Anything the package's types
    do not allow is refused with 400.
    """
    as_json = operation.template.startswith("/v2/") and operation.method == "POST"
    if as_json:
        data = json.loads(body or "{}")
    else:
        data = unflatten(parse_qsl(body if operation.method == "POST" else query, keep_blank_values=True))
    if operation.params_class is None or operation.params_module is None:
        for name in data:
            raise _unknown(name)
        return {}
    if not data and operation.params_optional:
        return {}
    params_type = getattr(importlib.import_module(operation.params_module), operation.params_class)
    converted: dict[str, Any] = _Reader(as_json).read(data, params_type, "")
    return converted


def unflatten(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """``lines[0][amount]=5`` → ``{"lines": [{"amount": "5"}]}``; a name sent twice is refused."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        *parents, last = re.findall(r"[^\[\]]+", name) or [name]
        target = root
        for parent in parents:
            target = target.setdefault(parent, {})
            if not isinstance(target, dict):
                raise Refusal(400, f"Invalid object: {name}", param=name)
        if last in target:
            raise Refusal(400, f"Parameter sent twice: {name}", param=name)
        target[last] = value
    unflattened: dict[str, Any] = {name: _with_lists(value) for name, value in root.items()}
    return unflattened


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(member) for name, member in value.items()}
    if inner and set(inner) == {str(index) for index in range(len(inner))}:
        return [inner[str(index)] for index in range(len(inner))]
    return inner


@functools.cache
def fields_of(params_type: type) -> dict[str, tuple[Any, bool]]:
    """Name → (type, required) of a parameter TypedDict, without the per-request options it inherits."""
    module = vars(sys.modules[params_type.__module__])
    names = {**vars(typing), **module, "StripeContext": object}
    hints = get_type_hints(params_type, None, names, include_extras=True)
    skip = _OPTION_NAMES if set(hints) >= _OPTION_NAMES else frozenset()
    return {name: _unwrapped(hint) for name, hint in hints.items() if name not in skip}


def _unwrapped(hint: Any) -> tuple[Any, bool]:
    required = get_origin(hint) is not NotRequired
    return (get_args(hint)[0] if get_origin(hint) in (NotRequired, Required) else hint), required


def _unknown(param: str) -> Refusal:
    return Refusal(400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def _invalid(what: str, param: str, value: Any, code: str | None = None) -> Refusal:
    return Refusal(400, f"Invalid {what}: {value!r}", code=code, param=param)


class _Reader:
    """Walks a decoded value beside its type; JSON bodies carry types of their own, forms only strings."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def read(self, value: Any, kind: Any, at: str) -> Any:
        origin = get_origin(kind)
        if origin is typing.Union or isinstance(kind, types.UnionType):
            return self._read_union(value, get_args(kind), at)
        if origin is Literal:
            return self._read_literal(value, get_args(kind), at)
        if is_typeddict(kind):
            return self._read_object(value, kind, at)
        if origin is list:
            return self._read_list(value, get_args(kind)[0], at)
        if origin is dict or "UntypedStripeObject" in (getattr(origin, "__name__", ""), getattr(kind, "__name__", "")):
            if not isinstance(value, dict):
                raise _invalid("hash", at, value)
            return value
        return self._read_scalar(value, kind, at)

    def _read_union(self, value: Any, kinds: Sequence[Any], at: str) -> Any:
        if str in kinds and any(_is_enum(kind) for kind in kinds):
            # The package writes enums open ("Literal[…] | str"); Stripe itself refuses unknown members.
            kinds = [kind for kind in kinds if kind is not str]
        refusals: list[Refusal] = []
        for kind in sorted(kinds, key=lambda candidate: not is_typeddict(candidate)):
            try:
                return self.read(value, kind, at)
            except Refusal as refusal:
                refusals.append(refusal)
        raise max(refusals, key=lambda refusal: len(refusal.error.get("param", "")))

    def _read_literal(self, value: Any, members: Sequence[Any], at: str) -> Any:
        if value not in members:
            shown = ", ".join(str(member) for member in members[:8])
            raise Refusal(400, f"Invalid {at}: must be one of {shown}", param=at)
        return value

    def _read_object(self, value: Any, kind: type, at: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _invalid("hash", at, value)
        fields = fields_of(kind)
        read: dict[str, Any] = {}
        for name, member in value.items():
            param = f"{at}[{name}]" if at else name
            if name not in fields:
                raise _unknown(param)
            read[name] = self.read(member, fields[name][0], param)
        for name, (_, required) in fields.items():
            if required and name not in value:
                param = f"{at}[{name}]" if at else name
                raise Refusal(400, f"Missing required param: {param}.", code="parameter_missing", param=param)
        return read

    def _read_list(self, value: Any, kind: Any, at: str) -> list[Any]:
        if not isinstance(value, list):
            raise _invalid("array", at, value)
        return [self.read(member, kind, f"{at}[{index}]") for index, member in enumerate(value)]

    def _read_scalar(self, value: Any, kind: Any, at: str) -> Any:
        reader: Callable[[Any, str], Any] | None = {
            bool: self._read_bool,
            int: self._read_int,
            float: self._read_number,
            Decimal: self._read_decimal,
            str: self._read_str,
        }.get(kind)
        return reader(value, at) if reader else value

    def _read_bool(self, value: Any, at: str) -> bool:
        if self._as_json and isinstance(value, bool):
            return value
        if self._as_json or value not in ("true", "false"):
            raise _invalid("boolean", at, value)
        return bool(value == "true")

    def _read_int(self, value: Any, at: str) -> int:
        if isinstance(value, bool) or not _INTEGER.match(str(value)):
            raise _invalid("integer", at, value, "parameter_invalid_integer")
        return int(value)

    def _read_number(self, value: Any, at: str) -> str:
        if isinstance(value, bool) or not _NUMBER.match(str(value)):
            raise _invalid("decimal", at, value)
        return str(value)

    def _read_decimal(self, value: Any, at: str) -> str:
        number = self._read_number(value, at)
        if len(number.partition(".")[2]) > DECIMAL_PLACES_MAX:
            raise Refusal(400, f"Invalid decimal: at most {DECIMAL_PLACES_MAX} decimal places; got {value}", param=at)
        return number

    def _read_str(self, value: Any, at: str) -> str:
        if not isinstance(value, str):
            raise _invalid("string", at, value)
        return value


def _is_enum(kind: Any) -> bool:
    return get_origin(kind) is Literal and set(get_args(kind)) != {""}
