#!/bin/bash
# build.sh KIND [TARGET...]: sets build/KIND up if need be and builds it.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=$1
shift
folder=build/$kind
options=()
case $kind in
plain) CC=${CC:-gcc} ;;
clang) CC=clang ;;
asan) CC=clang options=(-Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all) ;;
tsan) CC=clang options=(-Db_sanitize=thread) ;;
fuzz) CC=clang options=(-Dfuzzing=true -Db_sanitize=address,undefined -Dc_args=-fno-sanitize-recover=all) ;;
*)
    echo "build: no such kind: $kind (plain, clang, asan, tsan, fuzz)" >&2
    exit 2
    ;;
esac
if [[ ! -f $folder/build.ninja ]]; then
    CC=$CC meson setup "${options[@]}" ${PREFIX:+"--prefix=$PREFIX"} "$folder" >"/tmp/holdfast-setup.$$" 2>&1 || {
        cat "/tmp/holdfast-setup.$$"
        rm -f "/tmp/holdfast-setup.$$"
        exit 1
    }
    rm -f "/tmp/holdfast-setup.$$"
fi
exec ninja -C "$folder" "$@"
