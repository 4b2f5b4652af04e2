"""Our errors as HTTP: the one table, and the one shape."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import (
    Contention,
    InvalidTicket,
    NoLoginName,
    PermissionMissing,
    PoolExhausted,
    PoolNotFound,
    Refused,
    Unavailable,
    UnusableName,
    VmNotFound,
    VmPoolError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class BadJson(VmPoolError):
    """The body is not JSON."""

    code = "bad-json"
    sentence = "The body is not JSON. Send none, or {{}}."


class UnexpectedBody(VmPoolError):
    """The body says something that nobody reads."""

    code = "unexpected-body"
    sentence = "This request takes no arguments. Send no body, or {{}}."


class NotLetIn(VmPoolError):
    """Who asks gets nowhere here, whatever they ask for."""


class Unauthenticated(NotLetIn):
    """Nobody knows the token, or there is none."""

    code = "unauthenticated"
    sentence = "Log in, or send a token that is valid."


class NotAUser(NotLetIn):
    """The token is a service's."""

    code = "not-a-user"
    sentence = "The token is that of a service. VMs are for users: send the token of one."


class ScopeMissing(NotLetIn):
    """The token is a user's, but may not be used here."""

    code = "scope-missing"
    sentence = (
        'Your token does not allow to use the service "{0}". The administrator of the JupyterHub grants it to users and to their '
        'servers, in jupyterhub_config.py: c.JupyterHub.extra_user_scopes = ["access:services!service={0}"], and the same in '
        "c.Spawner.server_token_scopes. Then restart your server."
    )


class NotYourServer(NotLetIn):
    """Who asks is not the one whose server it is, in whose name it would be done."""

    code = "not-your-server"
    sentence = 'This Jupyter server is that of "{}", and so would be the VMs. Use your own.'


class TooManyActs(VmPoolError):
    """One user asks for more than people can mean; the others are served."""

    code = "too-many-requests"
    sentence = "You have asked for too much at once. Nothing was done; try again in a moment."


class HubUnavailable(Unavailable):
    """The hub does not say who asks."""

    code = "hub-unavailable"
    sentence = "The JupyterHub does not answer the question who you are. What runs goes on running."


class ServiceUnavailable(Unavailable):
    """There is no service, or something else is at its address."""

    code = "service-unavailable"
    sentence = "The VM pools service of the JupyterHub does not answer at {}. What runs goes on running."


class VersionsDiffer(Unavailable):
    """What the service says may not mean what this server's panel takes it for."""

    code = "versions-differ"
    sentence = (
        "The VM pools service of the JupyterHub and this server's extension do not go together: {}. The administrator installs the "
        "same version of vmpool-ext for both."
    )


# The most special class of an error's ancestors decides.
STATUS: Mapping[type[VmPoolError], HTTPStatus] = {
    BadJson: HTTPStatus.BAD_REQUEST,
    UnexpectedBody: HTTPStatus.UNPROCESSABLE_ENTITY,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    NotLetIn: HTTPStatus.FORBIDDEN,
    TooManyActs: HTTPStatus.TOO_MANY_REQUESTS,
    UnusableName: HTTPStatus.UNPROCESSABLE_ENTITY,
    NoLoginName: HTTPStatus.UNPROCESSABLE_ENTITY,
    InvalidTicket: HTTPStatus.FORBIDDEN,
    PermissionMissing: HTTPStatus.FORBIDDEN,
    PoolNotFound: HTTPStatus.NOT_FOUND,
    VmNotFound: HTTPStatus.NOT_FOUND,
    Refused: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    VmPoolError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

RETRY_AFTER: Mapping[type[VmPoolError], int] = {Contention: 2, TooManyActs: 2, PoolExhausted: 60, Unavailable: 5}
"""Seconds after which asking again may help."""

_FOREIGN = {
    HTTPStatus.BAD_REQUEST: ("bad-request", "The request cannot be read."),
    HTTPStatus.UNAUTHORIZED: (Unauthenticated.code, Unauthenticated.sentence),
    HTTPStatus.FORBIDDEN: ("forbidden", "The request is not allowed, for example for want of its XSRF token."),
    HTTPStatus.NOT_FOUND: ("not-found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method-not-allowed", "This address does not take this method."),
}
_INTERNAL = ("internal", "Unhandled error; the server's log says more.")


def status_of(error: VmPoolError) -> HTTPStatus:
    """Give the status that tells of one of our errors."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def retry_after(error: VmPoolError) -> int | None:
    """Tell in how many seconds asking again may help, or None if it does not."""
    return next((RETRY_AFTER[kind] for kind in type(error).__mro__ if kind in RETRY_AFTER), None)


def body_of(error: BaseException | None, status: int) -> dict[str, str | None]:
    """Say an error to the caller; of what is not ours nothing but the status is told."""
    if isinstance(error, VmPoolError):
        return {"code": error.code, "message": str(error), "reason": None}
    code, message = _FOREIGN.get(HTTPStatus(status), _INTERNAL)
    return {"code": code, "message": message, "reason": None}
