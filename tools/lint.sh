#!/bin/bash
# lint.sh: everything that reads the code without running it. All of it runs; the status says whether all was clean.
set -uo pipefail
cd "$(dirname "$0")/.."
status=0

step() {
    echo "== $1"
    shift
    "$@" || { status=1; echo "   not clean"; }
}

format() {
    find src sim test bench -name '*.[ch]' -print0 | xargs -0 clang-format-14 --dry-run -Werror
}

tidy() {
    tools/build.sh clang >/dev/null && run-clang-tidy-14 -quiet -p build/clang "^$PWD/(src|sim)/" 2>/dev/null |
        grep -E '(warning|error):' | sort -u | { ! grep .; }
}

check_c() {
    cppcheck -q --std=c11 --library=posix --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list=tools/cppcheck.txt -D__GNUC__=12 -D_GNU_SOURCE -DHOLDFAST_VERSION='"0"' -I src -I . src
}

# The pure folders only: paths through system calls give it more to guess than to find.
analyze() {
    tools/build.sh plain >/dev/null && tools/analyze.py build/plain
}

step "clang-format" format
step "clang-tidy" tidy
step "cppcheck" check_c
step "gcc -fanalyzer" analyze
for check in floors banned length words dead; do
    step "check_$check" "tools/check_$check.py"
done
exit $status
