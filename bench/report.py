"""Medians and ranges of what bench/run measured, and the ratios of Tonnage to the others: by rate, and
in brackets by processor time of the server (above 1: Tonnage needs less)."""

import json
import statistics
import sys

results = {}
for line in open(sys.argv[1]):
    work, target, measured = line.rstrip("\n").split("\t")
    results.setdefault(work, {}).setdefault(target, []).append(json.loads(measured))


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def against(ours, others):
    if others is None:
        return ""
    rate = median(ours, "per_second") / max(median(others, "per_second"), 1e-9)
    key = "cpu_us_per_operation"
    cpu = median(others, key) / max(median(ours, key), 1e-9)
    return f"{rate:.2f} ({cpu:.2f})"


print("| work | target | per second (range) | MiB/s | p50 / p99 ms | CPU µs each | CPU s/GiB | to nginx | to distribution |")
print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
for work, targets in results.items():
    for target, rows in targets.items():
        rates = sorted(row["per_second"] for row in rows)
        ratios = ["", ""]
        if target.startswith("tonnage"):
            ratios = [against(rows, targets.get(other)) for other in ("nginx", "distribution")]
        print(
            f"| {work} | {target} | {median(rows, 'per_second'):,.0f} "
            f"({rates[0]:,.0f}–{rates[-1]:,.0f}) | {median(rows, 'mib_per_second'):,.0f} "
            f"| {median(rows, 'p50_ms'):.2f} / {median(rows, 'p99_ms'):.2f} "
            f"| {median(rows, 'cpu_us_per_operation'):,.1f} "
            f"| {median(rows, 'cpu_seconds_per_gib'):.2f} | {ratios[0]} | {ratios[1]} |"
        )
