#!/bin/bash
# fuzz.sh [NAME...]: runs each fuzz target for FUZZ_SECONDS (30). What it learns stays in build/fuzz/corpus; an input that
# breaks something is left in build/fuzz/found, and belongs into corpus/ once the bug is fixed.
set -uo pipefail
cd "$(dirname "$0")/.."
# Only the targets: the unit tests need no fuzzer.
mapfile -t targets < <(tools/build.sh fuzz -t targets all | sed -n 's/^\([a-z0-9_]*_fuzz\): .*/\1/p')
tools/build.sh fuzz "${targets[@]}" || exit 1
mkdir -p build/fuzz/found
status=0 count=0
for target in "${targets[@]}"; do
    program=build/fuzz/$target name=${target%_fuzz}
    [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
    count=$((count + 1))
    mkdir -p "build/fuzz/corpus/$name"
    echo "== $name"
    seeds=()
    [[ -d corpus/$name ]] && seeds=("corpus/$name")
    if ! "$program" -max_total_time="${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" "${seeds[@]}" >"build/fuzz/$name.log" 2>&1; then
        status=1
        tail -n 60 "build/fuzz/$name.log"
    fi
    grep -E 'number_of_executed_units|new_units_added' "build/fuzz/$name.log"
done
if [[ $count -eq 0 ]]; then
    echo "fuzz: no target" >&2
    exit 1
fi
ls build/fuzz/found
exit $status
