"""How what the API server refuses is told to those who use the backend."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vmpool_ext.backends.kubernetes.errors import ApiError
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def asking(*expected: type[ApiError]) -> Iterator[None]:
    """Raise `BackendUnavailable` for whatever fails in here, but for what whoever asks is prepared for."""
    try:
        yield
    except expected:
        raise
    except ApiError as error:
        raise unavailable(error) from error


def unavailable(error: ApiError) -> BackendUnavailable:
    """Tell a user, and whoever reads the log, why the cluster cannot be asked."""
    return BackendUnavailable(str(error), code=code_of(error))


def code_of(error: ApiError) -> str:
    """Name the kind of trouble."""
    return _CODES.get(type(error).__name__, "backend-unavailable")


_CODES = {"NotAllowed": "cluster-forbids", "WrongCredentials": "cluster-credentials", "NotFound": "resources-missing"}
