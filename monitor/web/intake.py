"""What lets a customer's report in: whose it is, whether it is complete, whether it is too many.

In this order: a token that was given must be somebody's, or the report is refused; it is never
taken for an anonymous one. Then the account must be complete. Only then it counts against a limit,
so that whoever is asked for what was missing does not use up what is allowed; a wrong token does
count, so that tokens cannot be tried at will. A token is compared with all, each in constant time,
and is neither kept, shown nor logged.
"""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.engine import Engine
from monitor.judge.accounts import KEY_MOST, Typed, understood
from monitor.model import Account, Report, ReportSettings
from monitor.net.secret import Secret
from monitor.store import StoreError
from monitor.web.answers import Refusal
from monitor.web.limits import Limits

_KEY = re.compile(rf"[\x20-\x7e]{{1,{KEY_MOST}}}")


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as it was sent: `token` as bytes, None where none was given, never "".

    `mistakes` were found on the way here, each beginning with its part in backquotes.
    """

    typed: Typed
    token: bytes | None
    address: str
    key: str | None = None
    mistakes: tuple[str, ...] = ()


class Intake:
    """Takes reports in for the engine, or refuses them and says why."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        settings: ReportSettings,
        tokens: Mapping[str, Secret],
        services: Mapping[str, str],
        zone: str,
    ) -> None:
        """`tokens` by tenant; `services` are titles by name; `zone` is support's local time."""
        self.anonymous = settings.anonymous
        self.services = services
        self._engine = engine
        self._clock = clock
        self._tokens = tokens
        self._zone = zone
        self._limits = Limits(settings, clock)

    async def take(self, sent: Sent) -> Report:
        """The report, once it is committed. Raises `Refusal`."""
        tenant = self._tenant(sent)
        account = self._account(sent, tenant)
        self._limit(tenant, sent.address)
        try:
            return await self._engine.report(account)
        except StoreError:
            message = "The report could not be stored now. Nothing was lost: send it again shortly."
            raise Refusal(503, "store_unavailable", message, headers={"Retry-After": "5"}) from None

    def _tenant(self, sent: Sent) -> str | None:
        if sent.token is None:
            if not self.anonymous:
                raise _unauthorised(
                    "token_needed", "Reports need your token here: send it with it."
                )
            return None
        found = None
        for tenant, token in self._tokens.items():
            if hmac.compare_digest(sent.token, token.reveal().encode()):
                found = tenant
        if found is None:
            self._limit(None, sent.address)
            message = "This token is not known. Correct it"
            message += ", or leave it out and report anonymously." if self.anonymous else "."
            raise _unauthorised("wrong_token", message)
        return found

    def _account(self, sent: Sent, tenant: str | None) -> Account:
        account = understood(
            sent.typed,
            self.services,
            tenant=tenant,
            key=sent.key if tenant is not None else None,
            now=self._clock.wall(),
            zone=self._zone,
        )
        mistakes = list(sent.mistakes)
        if sent.key is not None and not _KEY.fullmatch(sent.key):
            mistakes.append(f"`Idempotency-Key` must be 1 to {KEY_MOST} printable ASCII characters")
        named = {mistake.split("`")[1] for mistake in mistakes}
        if not isinstance(account, Account):
            mistakes += [each for each in account if each.split("`")[1] not in named]
        if mistakes or not isinstance(account, Account):
            message = "The report was not taken yet: " + "; ".join(mistakes)
            raise Refusal(422, "incomplete_report", message, details=tuple(mistakes))
        return account

    def _limit(self, tenant: str | None, address: str) -> None:
        seconds = math.ceil(self._limits.refused(tenant, address))
        if seconds:
            message = f"Too many reports: send it again in {seconds} s"
            message += " or use the normal service desk."
            headers = {"Retry-After": str(seconds)}
            raise Refusal(429, "too_many_reports", message, headers=headers)


def _unauthorised(code: str, message: str) -> Refusal:
    return Refusal(401, code, message, headers={"WWW-Authenticate": "Bearer"})
