"""Medians and ranges of what bench/run measured, and Tonnage's ratio to the others."""

import json
import statistics
import sys

results = {}
for line in open(sys.argv[1]):
    work, target, measured = line.rstrip("\n").split("\t")
    results.setdefault(work, {}).setdefault(target, []).append(json.loads(measured))


def median(rows, key):
    return statistics.median(row[key] for row in rows)


print("| work | target | per second (range) | MiB/s | p50 / p99 ms | CPU µs each | CPU s/GiB | ratio, by CPU |")
print("|---|---|---:|---:|---:|---:|---:|---:|")
for work, targets in results.items():
    ours = targets["tonnage"]
    for target, rows in targets.items():
        rates = sorted(row["per_second"] for row in rows)
        ratio = median(ours, "per_second") / max(median(rows, "per_second"), 1e-9)
        cpu = median(rows, "cpu_us_per_operation") / max(median(ours, "cpu_us_per_operation"), 1e-9)
        against = "" if target == "tonnage" else f"{ratio:.2f}, {cpu:.2f}"
        print(
            f"| {work} | {target} | {median(rows, 'per_second'):,.0f} "
            f"({rates[0]:,.0f}–{rates[-1]:,.0f}) | {median(rows, 'mib_per_second'):,.0f} "
            f"| {median(rows, 'p50_ms'):.2f} / {median(rows, 'p99_ms'):.2f} "
            f"| {median(rows, 'cpu_us_per_operation'):,.1f} "
            f"| {median(rows, 'cpu_seconds_per_gib'):.2f} | {against} |"
        )
