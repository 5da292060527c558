"""References of customers' reports: short, unguessable, and easy to say on the telephone.

Three groups of four signs out of 29, none of which looks or sounds like another: 58 bits. Whoever
has one sees that report's status page, so it must not be guessed.
"""

from __future__ import annotations

import secrets

SIGNS = "23456789ABCDEFGHJKMNPQRTUVWXY"
_GROUPS, _EACH = 3, 4


def new_reference() -> str:
    """A reference such as K7QM-4TXN-9RFP, by the randomness of the system."""
    groups = ("".join(secrets.choice(SIGNS) for _ in range(_EACH)) for _ in range(_GROUPS))
    return "-".join(groups)


def as_written(text: str) -> str:
    """A reference as it was given out, however its reader typed it: case and dashes are free."""
    signs = "".join(sign for sign in text.upper() if sign.isalnum())
    return "-".join(signs[at : at + _EACH] for at in range(0, len(signs), _EACH))
