"""What an API server may answer instead of what was asked for, each a class that somebody here handles.

::

    ApiError             says the server's reason, cut to what a log can hold
      NotFound           404
      Conflict           409: the object is not any more as it was read
      Expired            410: what happened since then is not known any more
      Invalid            400, 422: nothing that would be put right by asking again
      NotKnown           401: nothing was done
      NotAllowed         403
      Busy               429: nothing was done; ask again, after a while that it may tell
      Lost               no answer, or one of an error on the way: whether anything was done is not known
      WrongCredentials   there is nobody to ask, or nothing that whoever was asked would know us by
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec

_LONGEST = 256
"""Characters of foreign text that are passed on."""


class ApiError(Exception):
    """Something else than what was asked for."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message[:_LONGEST])
        self.retry_after = retry_after


class NotFound(ApiError):
    """There is none."""


class Conflict(ApiError):
    """It is not any more as it was read."""


class Expired(ApiError):
    """The version is too old."""


class Invalid(ApiError):
    """The server does not take it."""


class NotKnown(ApiError):
    """Whoever asked is nobody that the server knows."""


class NotAllowed(ApiError):
    """Whoever asked may not."""


class Busy(ApiError):
    """Nothing was done; it may be later."""


class Lost(ApiError):
    """Whether anything was done is not known."""


class WrongCredentials(ApiError):
    """There is no cluster to ask, or nothing to ask it with."""


class _Status(msgspec.Struct):
    """What an API server says of an error."""

    kind: str = ""
    message: str = ""
    reason: str = ""


_OF_STATUS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: Invalid,
    HTTPStatus.UNAUTHORIZED: NotKnown,
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.GONE: Expired,
    HTTPStatus.UNPROCESSABLE_ENTITY: Invalid,
    HTTPStatus.TOO_MANY_REQUESTS: Busy,
}


def error_of(status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """Read an answer that is an error; what is not in the API server's own words may hold anything, and is dropped.

    >>> error_of(409, b'{"kind": "Status", "message": "the object has been modified"}')
    Conflict('the object has been modified')
    >>> error_of(502, b"<html>a proxy's page</html>")
    Lost('The API server answered 502.')
    """
    try:
        said = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        said = _Status()
    message = said.message if said.kind == "Status" and said.message else f"The API server answered {status}."
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else 0
    return _OF_STATUS.get(status, Lost)(message, seconds)
