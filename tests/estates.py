"""Small estates for tests: tenants in groups, vantages in networks."""

from monitor.model import (
    CONTROL,
    SHARED,
    Audience,
    Check,
    Estate,
    EvidenceKind,
    Need,
    Rules,
    Service,
    Target,
    Vantage,
)

TENANTS = {"acme": "blue", "bolt": "blue", "cedar": "green", "delta": "green", "ember": "amber"}
PLACES = {"london": "net-a", "leeds": "net-b", "dublin": "net-c"}


def tenants(number):
    """That many tenants in three backend groups."""
    if number <= len(TENANTS):
        return dict(list(TENANTS.items())[:number])
    return {f"t{i}": ("blue", "green", "amber")[i % 3] for i in range(number)}


def check(
    service="crm", name="sign-in", *, of=None, interval=30.0, timeout=10.0, need=Need.BLOCKING
):
    """A check with a target per tenant of `of`, or one shared target when it is None."""
    if of is None:
        targets = (Target("shared", SHARED, f"http://{service}/", fingerprint="f"),)
    else:
        targets = tuple(
            Target(t, t, f"http://{service}/{t}", group=g, fingerprint="f") for t, g in of.items()
        )
    return Check(service, name, "http", None, interval, timeout, need, EvidenceKind.ACTIVE, targets)


def controls(number=3, *, interval=10.0, timeout=5.0):
    """That many control targets."""
    return tuple(
        Check(
            CONTROL,
            f"control-{i}",
            "http",
            None,
            interval,
            timeout,
            Need.BLOCKING,
            EvidenceKind.ACTIVE,
            (Target("shared", SHARED, f"http://control-{i}/", fingerprint="f"),),
        )
        for i in range(number)
    )


def service(name="crm", *checks, **fields):
    """A core service with these checks, or one sign-in check for the five tenants."""
    made = checks or (check(name, of=TENANTS),)
    return Service(name, f"Prospect 365 {name.upper()}", Audience.USERS, made, **fields)


def estate(*services, places=PLACES, number_of_controls=3, rules=None):
    """The services (or one CRM) seen from three places with three controls."""
    made = services or (service(rules=rules or Rules()),)
    vantages = tuple(Vantage(name, network) for name, network in places.items())
    return Estate(made, vantages, controls(number_of_controls))
