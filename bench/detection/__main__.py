"""`python -m bench.detection`: the labelled benchmark with options."""

import sys

from bench.detection import rows

if __name__ == "__main__":
    for row in rows(sys.argv[1:]):
        print(row)
