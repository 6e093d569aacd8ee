"""The expressions of a template, as far as deploy/azure uses them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

from tests.azure.cloud.synapse import IDENTITY

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(\d+)|([A-Za-z]\w*)|(.))")


class Expressions:
    """Evaluates texts of one template for one deployment; `functions` are the ARM functions."""

    def __init__(self, functions: dict[str, Callable[..., Any]], round_: int = 0) -> None:
        self._functions = {**functions, "copyIndex": lambda *_: round_}

    def value(self, raw: Any) -> Any:
        """A value of the template with everything evaluated in it."""
        if isinstance(raw, dict):
            return {name: self.value(each) for name, each in raw.items()}
        if isinstance(raw, list):
            return [self.value(each) for each in raw]
        if isinstance(raw, str) and raw.startswith("["):
            self._tokens = [match.groups() for match in _TOKEN.finditer(raw[1:-1])]
            self._next = 0
            return self._term()
        return raw

    def _take(self) -> tuple[str | None, ...]:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _sign(self) -> str | None:
        """The next token where it is a sign."""
        return self._tokens[self._next][3] if self._next < len(self._tokens) else None

    def _term(self) -> Any:
        text, number, name, _ = self._take()
        found: Any
        if text is not None:
            found = text[1:-1].replace("''", "'")
        elif number is not None:
            found = int(number)
        else:
            found = self._called(str(name))
        while self._sign() in (".", "["):
            if self._take()[3] == ".":
                found = found[self._take()[2]]
            else:
                found = found[self._term()]
                self._take()
        return found

    def _called(self, name: str) -> Any:
        self._take()
        arguments = []
        while self._sign() != ")":
            if self._sign() == ",":
                self._take()
            arguments.append(self._term())
        self._take()
        return self._functions[name](*arguments)


def functions_for(
    group: dict[str, Any], subscription: dict[str, Any], parameters: dict[str, Any], template: Any
) -> dict[str, Callable[..., Any]]:
    """The functions of a deployment into a group."""
    functions: dict[str, Callable[..., Any]] = {}

    def resource_id(kind: str, *names: str) -> str:
        provider, *types = kind.split("/")
        pairs = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
        return f"{group['id']}/providers/{provider}/{pairs}"

    def variable(name: str) -> Any:
        return Expressions(functions).value(template["variables"][name])

    functions |= {
        "parameters": lambda name: parameters[name],
        "variables": variable,
        "concat": lambda *parts: "".join(map(str, parts)),
        "resourceId": resource_id,
        "subscriptionResourceId": lambda kind, *names: (
            f"{subscription['id']}/providers/{kind}/{names[0]}"
        ),
        "resourceGroup": lambda: group,
        "subscription": lambda: subscription,
        "environment": lambda: {"suffixes": {"storage": "core.windows.net"}},
        "not": lambda value: not value,
        "empty": lambda value: not value,
        "length": len,
        "guid": lambda *parts: str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(parts))),
        "reference": lambda *_: {"identity": {"principalId": IDENTITY}},
    }
    return functions
