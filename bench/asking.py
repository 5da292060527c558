"""Asks one server for its pages over and over, from a process of its own: for bench.pages.

    python -m bench.asking HOST PORT TOKEN TIMES PATH...

Prints by path the seconds that each answer took, as JSON. One connection is kept; paths take turns,
so that whatever disturbs the machine disturbs all of them.
"""

import http.client
import json
import sys
import time


def main() -> None:
    host, port, token, times, *paths = sys.argv[1:]
    client = http.client.HTTPConnection(host, int(port), timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    took: dict[str, list[float]] = {path: [] for path in paths}
    sizes: dict[str, int] = {}
    for turn in range(int(times) + 1):
        for path in paths:
            began = time.perf_counter()
            client.request("GET", path, headers=headers)
            answer = client.getresponse()
            body = answer.read()
            seconds = time.perf_counter() - began
            if answer.status != 200:
                raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")
            sizes[path] = len(body)
            if turn:  # the first turn fills caches
                took[path].append(seconds)
    json.dump({"took": took, "sizes": sizes}, sys.stdout)


if __name__ == "__main__":
    main()
