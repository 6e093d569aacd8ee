"""Azure's refusals of a deployment or a deletion, by their codes, with what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from bikecast.core.errors import BikecastError, first_line
from bikecast.core.redaction import redacted
from resources.azure.refusals import azure_errors

_REMEDIES = (
    (
        r"soft.?delet|deleted state|recoverable",
        "Something of that name was deleted and is kept for a while: `bikecast azure down` purges "
        "what is ours; or take another --name",
    ),
    (
        r"quota|cores|limit|exceed",
        "Ask for more quota (portal: Subscriptions, Usage + quotas), or take another --region",
    ),
    (
        r"AlreadyTaken|AlreadyExists|NameNotAvailable|NameUnavailable|NotAvailable.*name|in use",
        "Take another --name",
    ),
    (
        r"Sku|LocationNotAvailable|RegionNot|ProvisioningDisabled|NotAvailableForSubscription|"
        r"region|capacity",
        "Take another --region; the group has the old one, so `bikecast azure down` first",
    ),
    (
        r"Authorization|LinkedAuthorization|Forbidden|RoleAssignmentUpdateNotPermitted",
        "The identity needs Owner of the subscription, or Contributor with Role Based Access "
        "Control Administrator",
    ),
    (
        r"Locked",
        "Somebody locked it: az lock list, and ask who did before you take the lock away",
    ),
    (r"Policy", "A policy of your organisation forbids it; its name is in Azure's words"),
)


@dataclass(frozen=True)
class Fault:
    """One thing that Azure refuses: its code, its own words, and the resource if it is one's."""

    code: str
    message: str
    resource: str = ""

    @property
    def remedy(self) -> str:
        """What to do next; empty where nothing general helps."""
        for text in (self.code, self.message):
            for pattern, remedy in _REMEDIES:
                if re.search(pattern, text, re.IGNORECASE):
                    return remedy
        return ""

    def __str__(self) -> str:
        where = f"{self.resource}: " if self.resource else ""
        words = redacted(self.message).strip().partition("\n")[0]
        told = f"{where}{self.code}: {words}".rstrip(".")
        return f"{told}. {self.remedy}".rstrip(". ")


def faults_of(error: Any) -> list[Fault]:
    """The innermost faults of an ErrorResponse, which Azure nests, also as JSON in a text."""
    return list(_innermost(_plain(error)))


def arm_errors(what: str, unchanged: str) -> AbstractContextManager[None]:
    """Raise BikecastError, with the faults and what to do, for any error of a client inside."""

    def reworded(error: Exception) -> BikecastError:
        faults = faults_of(getattr(error, "error", None)) or [
            Fault(type(error).__name__, first_line(error))
        ]
        told = "\n  ".join(str(fault) for fault in faults)
        return BikecastError(f"{what}:\n  {told}\n{unchanged}")

    return azure_errors(reworded)


def _plain(error: Any) -> Mapping[str, Any]:
    """An error of any of the clients as a map."""
    if error is None:
        return {}
    if isinstance(error, Mapping):
        inner = error.get("error")
        return inner if isinstance(inner, Mapping) else error
    return {name: getattr(error, name, None) for name in ("code", "message", "details")}


def _innermost(error: Mapping[str, Any]) -> Iterator[Fault]:
    message = str(error.get("message") or "")
    details = [*(error.get("details") or ())]
    with suppress(ValueError):
        # A resource's own answer comes as a text.
        inner = json.loads(message)
        details += [inner] if isinstance(inner, dict) else []
    if details:
        for each in details:
            yield from _innermost(_plain(each))
    elif message or error.get("code"):
        yield Fault(str(error.get("code") or "Error"), message)
