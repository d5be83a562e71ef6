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

# cppcheck 2.10 does not know __VA_OPT__: it gets a log.h whose log_event() takes the fields for granted.
check_c() {
    mkdir -p build/lint/base
    sed '/^#define log_event/,$d' src/base/log.h >build/lint/base/log.h
    echo '#define log_event(level, event, ...) log_write((level), (event), NULL)' >>build/lint/base/log.h
    cppcheck -q -j2 --std=c11 --library=posix --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
        --suppressions-list=tools/cppcheck.txt -D__GNUC__=12 -D_GNU_SOURCE -DHOLDFAST_VERSION='"0"' -I build/lint -I src -I . src
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
