"""Asks one server for a page over and over, from a process of its own: for bench.pages.

    python -m bench.asking HOST PORT TOKEN TIMES PATH

Prints the seconds that each answer took and the bytes of the last, as JSON. One connection is kept.
"""

import http.client
import json
import sys
import time


def main() -> None:
    host, port, token, times, path = sys.argv[1:]
    client = http.client.HTTPConnection(host, int(port), timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
    took, body = [], b""
    for _ in range(int(times)):
        began = time.perf_counter()
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        body = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:300]!r}")
    json.dump({"took": took, "bytes": len(body)}, sys.stdout)


if __name__ == "__main__":
    main()
