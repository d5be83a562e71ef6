#!/usr/bin/python3
"""What a probe costs: CPU of the prober for each kind of check, from the process's own accounting.

The servers are other processes on loopback and are not counted; but there the kernel does the server's half of TCP
within the prober's own system calls, so that the numbers are an upper bound. The kinds take turns, round after round.
Ends with 1 where 2,000 tcp checks at 1 s cost a fifth of one core or more.

    bench/probes.py --build BUILD-FOLDER [--rounds 2] [--seconds 3]
"""

import argparse
import os
import statistics
import subprocess
import sys

# kind, targets at an interval of 1 s
KINDS = [("none", 2000), ("tcp", 2000), ("icmp", 2000), ("dns", 2000), ("http", 500), ("tls", 100), ("https", 100)]
TCP_CORE_MAX = 0.20


def measure(program, kind, targets, seconds):
    """One run as {name: number}, or None where this kind cannot be probed here (icmp without the right to)."""
    done = subprocess.run([program, kind, str(targets), "1000", str(seconds)], capture_output=True, text=True,
                          timeout=seconds + 60, check=True)
    got = {k: float(v) for k, v in (pair.split("=") for pair in done.stdout.split())}
    return None if got["bad"] and got["bad"] == got["probes"] else got


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--build", default="build/plain")
    ask.add_argument("--rounds", type=int, default=2)
    ask.add_argument("--seconds", type=int, default=3)
    said = ask.parse_args()
    subprocess.run(["ninja", "-C", said.build, "observe_bench_io"], check=True, stdout=subprocess.DEVNULL)
    program = os.path.join(said.build, "observe_bench_io")
    seen = {kind: [] for kind, _ in KINDS}
    for _ in range(said.rounds):
        for kind, targets in KINDS:
            got = measure(program, kind, targets, said.seconds)
            if got:
                seen[kind].append(got)
    print("check   a second   failed   late   CPU us a probe (user + system)   of one core   probes one core carries")
    for kind, _ in KINDS:
        if not seen[kind]:
            print(f"{kind:7} not allowed here")
            continue
        mid = {k: statistics.median(run[k] for run in seen[kind]) for k in seen[kind][0]}
        carries = f"{1e6 / mid['cpu_us']:10,.0f}/s" if mid["cpu_us"] else ""
        print(f"{kind:7}{mid['rate']:9,.0f}{mid['bad']:9.0f}{mid['late']:7.0f}{mid['cpu_us']:11.1f}"
              f"  ({mid['user_us']:.1f} + {mid['sys_us']:.1f})".ljust(68) + f"{mid['core']:8.2%}      {carries}")
    core = statistics.median(run["core"] for run in seen["tcp"])
    held = core < TCP_CORE_MAX
    print(f"2,000 tcp checks at 1 s take {core:.1%} of one core; promised: under {TCP_CORE_MAX:.0%}: "
          f"{'held' if held else 'BROKEN'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
