"""Whose an operation is stands in the document, as its view has it."""

from __future__ import annotations

import inspect
import re

from django.urls import Resolver404, resolve

from forecourt.api_callers import OF_PROVIDERS, OF_THE_OPERATOR, tell_callers
from forecourt.api_samples import UUID
from tests.api.published import published


def code_of(path: str, method: str) -> str:
    """What a view does for a method, with the functions of its own module that it calls."""
    try:
        view = getattr(resolve(re.sub(r"\{[^}]+\}", UUID, path)).func, "view_class", None)
    except Resolver404:
        return ""
    function = getattr(view, method, None)
    if function is None:
        return ""
    code, module = inspect.getsource(function), inspect.getmodule(function)
    called = (getattr(module, name, None) for name in re.findall(r"\b(_\w+)\(", code))
    return code + "".join(inspect.getsource(one) for one in called if inspect.isfunction(one))


def test_the_document_says_of_each_operation_whose_it_is() -> None:
    of = {
        operation["operationId"]: (code_of(path, method), operation["description"])
        for path, methods in published()["paths"].items()
        for method, operation in methods.items()
    }
    assert {name for name, (code, _told) in of.items() if "operator_of(" in code} == OF_THE_OPERATOR
    assert {name for name, (code, _told) in of.items() if "provider_of(" in code} == OF_PROVIDERS
    assert all("For providers: 404 to others." in of[name][1] for name in OF_PROVIDERS)
    assert all(of[name][1].count("For the operator") == 1 for name in OF_THE_OPERATOR)


def test_what_is_everyones_says_nothing() -> None:
    operation = {"operationId": "usage_list", "description": "Read usage."}
    tell_callers(operation)
    assert operation["description"] == "Read usage."
