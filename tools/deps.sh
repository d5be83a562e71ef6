#!/bin/bash
# deps.sh GROUP...: installs the Debian packages of these groups (tools/packages.txt) that are missing. Does nothing, and
# needs no network and no root, when none is.
set -euo pipefail

list=$(dirname "$0")/packages.txt

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: not a Debian system; trusting that what $list names is here under other names" >&2
    exit 0
fi

missing=()
while read -r group package _; do
    [[ " $* " == *" $group "* ]] || continue
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [[ $state == installed ]] || missing+=("$package")
done < <(grep -v '^#' "$list")
[[ ${#missing[@]} -gt 0 ]] || exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

as_root=()
if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
        as_root=(sudo)
    else
        echo "deps: these packages are missing, and only root can install them:" >&2
        echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
fi

apt_get() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# Name servers and prometheus start as soon as they are installed, unless policy-rc.d says no.
policy=/usr/sbin/policy-rc.d
ours=no
if [[ ! -e $policy ]]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
restore() {
    [[ $ours == no ]] || "${as_root[@]}" rm -f "$policy"
}
trap restore EXIT

echo "deps: installing ${missing[*]}"
apt_get update
apt_get install -y --no-install-recommends "${missing[@]}"

# Nor at the next boot: they would take port 53 from whoever works on this machine.
if command -v systemctl >/dev/null; then
    for package in "${missing[@]}"; do
        case $package in
        nsd | knot | gdnsd | unbound | prometheus) "${as_root[@]}" systemctl disable -q "$package" 2>/dev/null || true ;;
        pdns-server) "${as_root[@]}" systemctl disable -q pdns 2>/dev/null || true ;;
        esac
    done
fi
