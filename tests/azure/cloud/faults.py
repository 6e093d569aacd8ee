"""What goes wrong in the cloud: one answer a fault, for the calls that a test names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.azure.cloud.http import Request, Response, arm_error

#: No answer at all: the proxy drops the connection.
DROPPED = Response(0)
TOO_MANY = arm_error(429, "TooManyRequests", "Slow down.", Retry_After="1")
INTERNAL = arm_error(500, "InternalServerError", "An internal error occurred.")
UNAVAILABLE = arm_error(503, "ServiceUnavailable", "The service is unavailable.")
FORBIDDEN = arm_error(403, "AuthorizationFailed", "The client does not have authorization.")
EXPIRED = arm_error(
    401,
    "ExpiredAuthenticationToken",
    "The access token expiry UTC time is earlier than current UTC time.",
    WWW_Authenticate='Bearer error="invalid_token", error_description="The token expired"',
)


@dataclass
class Fault:
    """The answer to the next calls of a method whose host and path contain a text.

    `late` lets the service do its work first, so that only the answer is lost. `seconds` is how
    long the answer takes. Without an `answer` the service's own is sent. `then` runs after the
    service's work and before the answer.
    """

    method: str
    where: str
    answer: Response | None = None
    times: int = 1
    late: bool = False
    seconds: float = 0.0
    then: Callable[[], None] | None = None

    def hits(self, request: Request) -> bool:
        """Whether this is such a call, and its turn."""
        place = request.host + request.path
        return self.times > 0 and request.method == self.method and self.where in place


class Faults:
    """The faults that a test has set, in their order."""

    def __init__(self) -> None:
        self._set: list[Fault] = []

    def add(self, method: str, where: str, answer: Response | None = None, **more: object) -> None:
        """Let something go wrong; see Fault."""
        self._set.append(Fault(method, where, answer, **more))  # type: ignore[arg-type]

    def clear(self) -> None:
        """All is well again."""
        self._set = []

    def take(self, request: Request) -> Fault | None:
        """The fault of a call, which is one nearer to its end."""
        for fault in self._set:
            if fault.hits(request):
                fault.times -= 1
                return fault
        return None
