"""`python -m grafana`: write anew what is made by code, where it is stale."""

import sys

from grafana import composed, documents
from grafana.boards import BOARDS, FILES, written
from grafana.promql import UnknownSeriesError


def main() -> int:
    """Write what is stale: 0, or 1 when a query asks for what there is not."""
    try:
        texts = {FILES[board.name]: written(board) for board in BOARDS}
        texts[composed.CHECKS] = composed.checks()
        texts[documents.PAGE] = documents.page()
    except (UnknownSeriesError, LookupError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for file, text in texts.items():
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            sys.stdout.write(f"{file}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
