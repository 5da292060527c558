"""What becomes known during an exchange, so that it survives a failure half way."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from monitor.model import Certificate, Phases, Step


class Phase(StrEnum):
    """The parts of an exchange, in their order. The names are those of `model.Phases`."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    PROCESSING = "processing"
    TRANSFER = "transfer"


@dataclass(slots=True)
class Trace:
    """Filled as an exchange goes on.

    Seconds per phase, summed over redirects; None for a phase that was not reached. `address`
    is the last one that was contacted, with its port; `name_fresh` is None where no name was
    resolved; `tls_version` is "" without TLS. `hops` are the URLs that redirects led to,
    `warnings` what was wrong but tolerated. `asked` is what was asked, in one line without
    secrets, and `steps` what a probe of several exchanges did so far.
    """

    resolve: float | None = None
    connect: float | None = None
    tls: float | None = None
    processing: float | None = None
    transfer: float | None = None
    asked: str = ""
    address: str = ""
    tls_version: str = ""
    certificate: Certificate | None = None
    name_fresh: bool | None = None
    warnings: list[str] = field(default_factory=list)
    hops: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def spent(self, phase: Phase, seconds: float) -> None:
        """Count seconds toward a phase."""
        setattr(self, phase, (getattr(self, phase) or 0.0) + seconds)

    def warn(self, warning: str) -> None:
        """Note what was wrong but tolerated, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def phases(self) -> Phases:
        """Return the phases as the model has them."""
        return Phases(self.resolve, self.connect, self.tls, self.processing, self.transfer)
