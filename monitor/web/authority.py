"""Who may do what through the API: whoever sends the token, compared in constant time."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from monitor.net.secret import Secret
from monitor.web.answers import Refusal

_bearer = HTTPBearer(auto_error=False, description="The token set as `api_token`")

Given = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def authorised(token: Secret | None) -> Callable[[Given], Awaitable[None]]:
    """A dependency that refuses whoever does not send `token`, and everybody without one."""

    async def check(given: Given) -> None:
        _authorise(given, token)

    return check


def is_sent(given: HTTPAuthorizationCredentials | None, token: Secret) -> bool:
    """Whether this token was sent; the comparison takes the same time either way."""
    sent = given.credentials if given is not None else ""
    return hmac.compare_digest(sent.encode("latin-1"), token.reveal().encode())


def switched_off() -> Refusal:
    """What is answered where no token is configured that could be sent."""
    return Refusal(
        403,
        "no_token_configured",
        "This part of the API is off: set api_token (or api_token_file) in the "
        "configuration, restart, and send it as 'Authorization: Bearer <token>'.",
    )


def unauthorised(message: str) -> Refusal:
    """What is answered to whoever sends another token than the right one, or none."""
    return Refusal(401, "unauthorised", message, headers={"WWW-Authenticate": "Bearer"})


def _authorise(given: HTTPAuthorizationCredentials | None, token: Secret | None) -> None:
    if token is None:
        raise switched_off()
    if not is_sent(given, token):
        raise unauthorised("Send the configured api_token as 'Authorization: Bearer <token>'.")
