#!/usr/bin/env python3
"""write_latency.py NAME SECONDS: one commit of group control after the other.  One line of JSON."""
import json
import sys
import time

import lapwing_client


def main(name, seconds):
    cluster = lapwing_client.Lapwing(10)
    failed = 0
    times = []
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        start = time.monotonic()
        if cluster.write():
            times.append((time.monotonic() - start) * 1000)
        else:
            failed += 1
    times.sort()
    if not times:
        sys.exit("write_latency: no write was accepted")
    at = {f"p{share}_ms": round(times[min(len(times) - 1, len(times) * share // 100)], 2) for share in (50, 90, 99)}
    print(json.dumps({"bench": "write latency", "name": name, "writes": len(times), "failed": failed, **at,
                      "max_ms": round(times[-1], 2)}))


main(*sys.argv[1:])
