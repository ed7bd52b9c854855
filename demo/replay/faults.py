"""What can go wrong between a client and the cloud, for tests to ask for."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from demo.replay.wire import Answer, Delivery


class Fault(Struct, frozen=True):
    """How one answer is spoilt; without a status, the true answer is delivered badly or late."""

    status: int | None = None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    delivery: Delivery = "whole"
    delay: float = 0.0

    def spoil(self, answer: Answer) -> Answer:
        """The answer as the client gets it."""
        late = answer.delay + self.delay
        if self.status is None:
            return replace(answer, delivery=self.delivery, delay=late)
        return Answer(
            self.status, self.body, answer.headers + self.headers, self.content_type, self.delivery, delay=late
        )


#: (method, path, query, how often this path was asked since the hook was set) -> what goes wrong, if anything.
FaultHook = Callable[[str, str, str, int], Fault | None]

TRUNCATED = Fault(delivery="cut")
DROPPED = Fault(delivery="dropped")
INTERNAL_ERROR = Fault(
    500, b'{"computeFault": {"code": 500, "message": "Unexpected API Error. <class \'oslo_db.exception.DBError\'>"}}'
)
#: What a proxy says before a service that is down, and a login page in front of one that is up.
UNAVAILABLE = Fault(503, b"<html><body><h1>503 Service Unavailable</h1></body></html>", content_type="text/html")
LOGIN_PAGE = Fault(200, b"<!DOCTYPE html><html><body>Please log in</body></html>", content_type="text/html")


def too_many_requests(retry_after: int) -> Fault:
    """Refuse with 429 and name the seconds to wait."""
    body = b'{"overLimit": {"code": 429, "message": "This request was rate-limited."}}'
    return Fault(429, body, (("Retry-After", str(retry_after)),))


def slow(seconds: float) -> Fault:
    """Deliver the true answer this much later."""
    return Fault(delay=seconds)
