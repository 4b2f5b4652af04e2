"""What came back from a server: the body, or the error that it tells of."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from vmpool_ext.client.errors import Unauthenticated, UnexpectedAnswer, Unreachable, VmPoolError, error_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmpool_ext.client.server import Server

_UNAUTHENTICATED, _NOT_FOUND = 401, 404


@contextmanager
def or_unreachable(server: Server) -> Iterator[None]:
    """Say in our words why a server was not reached."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        # OSError: older versions of the library let out what the TLS handshake raises.
        raise Unreachable(Unreachable.kind, _why_not_reached(server, error)) from error


def body_of(server: Server, response: httpx.Response) -> Any:
    """Give the body of an answer; raise what it tells of where it is none of ours, or a refusal."""
    told = _json(response)
    if response.is_success and isinstance(told, dict):
        return told
    if isinstance(told, dict) and isinstance(told.get("code"), str):
        raise _refusal(server, response, told)
    raise UnexpectedAnswer(UnexpectedAnswer.kind, _what_answered(server, response), status=response.status_code)


def _refusal(server: Server, response: httpx.Response, told: Mapping[str, Any]) -> VmPoolError:
    kind = error_class(told["code"], response.status_code)
    message = _STRANGER.format(server.url) if kind is Unauthenticated else told.get("message")
    return kind(
        told["code"],
        message or f"The server has answered with {told['code']}.",
        told.get("reason"),
        response.status_code,
        _seconds(response.headers.get("Retry-After")),
    )


_STRANGER = (
    "The Jupyter server {} does not take the token, or was given none. "
    'The command "jupyter server list" shows it; set VMPOOL_TOKEN to it, or give it to the client.'
)


def _what_answered(server: Server, response: httpx.Response) -> str:
    if response.is_redirect:
        return (
            f"The server {server.url} sends its callers elsewhere, and a token is not sent after them. "
            "Give the address at which it ends: the one that the browser shows."
        )
    if response.status_code == _NOT_FOUND:
        return (
            f"The Jupyter server {server.url} has no VM pools. Install vmpool-ext where it runs, and see "
            '"jupyter server extension list"; or name another one in VMPOOL_URL.'
        )
    return (
        f"{server.url} has answered with status {response.status_code} and something that is not of the VM pools. "
        "Is this the address of a Jupyter server, and does whatever stands before it let requests through?"
    )


def _why_not_reached(server: Server, error: Exception) -> str:
    if isinstance(_root(error), ssl.SSLError):
        return (
            f"The certificate of {server.url} is not trusted: {_root(error)}. Give the file of the authority that signed "
            "it as ca_file to the client, or set SSL_CERT_FILE to it."
        )
    if isinstance(error, httpx.TimeoutException):
        return f"The Jupyter server {server.url} has not answered in time. Ask again; it may be busy, or hang."
    return (
        f"The Jupyter server {server.url} cannot be reached: {error}. Does it still run? "
        'The command "jupyter server list" shows those that do; VMPOOL_URL names another one.'
    )


def _root(error: BaseException) -> BaseException:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None
