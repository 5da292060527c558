"""`python -m bench.detection.sockets`: the labelled benchmark's families over real sockets."""

import sys

from bench.detection.sockets import main

if __name__ == "__main__":
    sys.exit(main())
