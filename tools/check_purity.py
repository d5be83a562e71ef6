#!/usr/bin/env python3
"""Only *_io.c, seam/ and prog/ touch the world. All other objects may refer to nothing but each other and a list of
functions that compute. Reads the objects of a build folder: check_purity.py [ROOT [BUILD]]."""

import json
import pathlib
import re
import subprocess

import tree

# Functions that compute: the result depends on the arguments alone (and on memory). Whoever needs another one adds it
# here after having made sure of that.
PURE = re.compile(
    r"""^(?:
    _*(?:mem|wmem)(?:cpy|move|set|cmp|chr|rchr|mem|pcpy)(?:_chk)?
  | bcmp | explicit_bzero | ffs(?:l|ll)? | abs | labs | llabs
  | _*str(?:n?len|n?cmp|n?casecmp|r?chr|chrnul|str|casestr|p?brk|c?spn|n?dup|sep|tok_r)(?:_chk)? | _*rawmemchr
  | strto(?:l|ul|ll|ull|imax|umax|d|f|ld) | __isoc(?:99|23)_(?:sscanf|strto\w+) | sscanf
  | strerrorname_np | strerrordesc_np
  | _*v?snprintf(?:_chk)?
  | malloc | calloc | realloc | free | aligned_alloc | posix_memalign | reallocarray
  | qsort(?:_r)? | bsearch | tsearch | tfind
  | (?:is|to)(?:alnum|alpha|digit|xdigit|lower|upper|space|print|punct|cntrl|ascii) | __ctype_(?:b|tolower|toupper)_loc
  | f?(?:abs|min|max|mod|loor)f? | ceilf? | roundf? | l?l?roundf? | l?l?rintf? | truncf? | nearbyintf?
  | sqrtf? | powf? | exp[2m]?1?f? | log(?:2|10|1p)?f? | ldexpf? | frexpf? | hypotf? | (?:a?sin|a?cos|a?tan2?)h?f? | copysignf?
  | inet_(?:pton|ntop) | htonl | htons | ntohl | ntohs
  | pthread_(?:mutex|rwlock|spin)_\w+ | pthread_once
  | abort | __errno_location
  | __stack_chk_fail | __tls_get_addr | _GLOBAL_OFFSET_TABLE_ | __\w+[dstx]i[1-4]? | __popcountdi2
  | json_\w+ | jsonp_\w+ | raft_(?!uv_)\w+ | yaml_\w+ | XXH\w+
  | (?:BIO|BN|CRYPTO|EC|ECDSA|ERR|EVP|HMAC|OPENSSL|OSSL|PEM|SHA\d*)_\w+ | HMAC | SHA\d+ | [di]2[di]_\w+
  | __(?:asan|ubsan|tsan|sanitizer|msan|gcov|llvm)_\w+ | __sancov\w+ | __fentry__
    )$""", re.X)
# Of those families, what does reach out.
IMPURE = re.compile(r"""^(?:
    json_(?:load|dump)(?:f|fd|_file|_callback) | yaml_(?:parser_set_input_file|emitter_set_output_file)
  | BIO_(?:new_file|new_fp|new_fd|new_socket|new_connect|new_accept|new_dgram|s_(?:file|fd|socket|connect|accept|datagram))
  | PEM_(?:read|write)_(?!bio_)\w+ | OSSL_STORE_\w+ | \w+_fp
  | EVP_PKEY_(?:\w+_)?(?:keygen|paramgen|generate)(?:_init)?  # draw random numbers
    )$""", re.X)


def objects(build):
    """(source, object) of everything the build folder has compiled."""
    for command in json.loads((build / "compile_commands.json").read_text()):
        folder = pathlib.Path(command["directory"])
        source, target = (folder / command["file"]).resolve(), folder / command["output"]
        if target.exists():
            yield source, target


def symbols(target, option):
    out = subprocess.run(["nm", option, "--format=posix", str(target)], capture_output=True, text=True, check=True).stdout
    return {line.split()[0].split("@")[0] for line in out.splitlines() if line.split() and not line.endswith(":")}


def is_shell(name):
    return name.endswith("_io.c") or name.startswith(("src/seam/", "src/prog/"))


def check(root, build=None):
    build = pathlib.Path(build or root / "build" / "plain").resolve()
    pure, shell = [], set()
    for source, target in objects(build):
        if not source.is_relative_to(root / "src"):
            continue
        name = str(source.relative_to(root))
        if is_shell(name):
            shell |= symbols(target, "--defined-only")
        elif not tree.is_test(source):
            pure.append((name, target))
    if not pure:
        return [f"{build}: no objects: build first"]
    ours = set().union(*(symbols(target, "--defined-only") for _, target in pure))
    findings = []
    for name, target in sorted(pure):
        for symbol in sorted(symbols(target, "--undefined-only") - ours):
            if symbol in shell:
                findings.append(f"{name}:1: calls {symbol}(), which a shell (seam, prog or *_io.c) defines")
            elif not PURE.match(symbol) or IMPURE.match(symbol):
                findings.append(f"{name}:1: refers to {symbol}, which is not known to be pure")
    return findings


if __name__ == "__main__":
    tree.main(check)
