"""A cell for the tests of probes: one check of any kind, one target, one vantage."""

from __future__ import annotations

from monitor.model import Cell, CellKey, Check, EvidenceKind, Need, Target


def cell_for(
    kind, options, address, *names, vantage=None, tenant="acme", canary=False, timeout=10.0
):
    """The cell service/check/tenant/vantage; `names` are those of service and check."""
    service, check_name = names or ("crm", "sign-in")
    target = Target(
        "shared" if tenant == "*" else tenant, tenant, address, fingerprint="f1", canary=canary
    )
    check = Check(
        service,
        check_name,
        kind,
        options,
        interval=30.0,
        timeout=timeout,
        need=Need.BLOCKING,
        evidence=EvidenceKind.ACTIVE,
        targets=(target,),
    )
    where = "london" if vantage is None else vantage.name
    return Cell(CellKey(service, check_name, target.name, where), check, target, vantage)
