"""Answers other than 200, in Stripe's error shape."""

from typing import Any


class Refusal(Exception):
    """The request is answered with an error.

    ``commit`` says that what was done before the error stands (a declined charge is a fact); otherwise the
    request leaves nothing behind. ``extra`` are further members of Stripe's error object.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str = "invalid_request_error",
        param: str | None = None,
        commit: bool = False,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.commit = commit
        known = {"code": code, "param": param, **extra}
        self.error: dict[str, Any] = {"type": kind, "message": message}
        self.error.update({name: value for name, value in known.items() if value is not None})

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body that Stripe would send."""
        return {"error": self.error}


def missing(kind: str, object_id: str, param: str = "id") -> Refusal:
    """What Stripe answers for an id it does not know."""
    return Refusal(404, f"No such {kind}: '{object_id}'", code="resource_missing", param=param)
