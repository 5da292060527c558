"""The cases, in lists by what is wrong."""

from tests.hostile.tables import (
    codings,
    endings,
    faults,
    framing,
    leading,
    naming,
    secure,
    sizes,
    slow,
    texts,
)

LISTS = {
    "slow": slow.CASES,
    "size": sizes.CASES,
    "coding": codings.CASES,
    "framing": framing.CASES,
    "redirect": leading.CASES,
    "name": naming.CASES,
    "text": texts.CASES,
    "ending": endings.CASES,
    "tls": secure.CASES,
    "fault": faults.CASES,
}
CASES = tuple(case for cases in LISTS.values() for case in cases)
