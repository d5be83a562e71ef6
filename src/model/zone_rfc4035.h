/* For tests: the names and data of RFC 4035 A, but for its keys and signatures. `minimum`: a
 * string, the last number of the SOA. */
#pragma once

#define RFC4035_ZONE(minimum)                                      \
    "$ORIGIN example.\n"                                           \
    "$TTL 3600\n"                                                  \
    "@ SOA ns1 bugs.x.w 1081539377 3600 300 3600000 " minimum "\n" \
    "@ NS ns1\n"                                                   \
    "@ NS ns2\n"                                                   \
    "@ MX 1 xx\n"                                                  \
    "a NS ns1.a\n"                                                 \
    "a NS ns2.a\n"                                                 \
    "a DS 57855 5 1 b6dcd485719adca18e5f3d48a2331627fdd3636b\n"    \
    "ns1.a A 192.0.2.5\n"                                          \
    "ns2.a A 192.0.2.6\n"                                          \
    "ai A 192.0.2.9\n"                                             \
    "ai HINFO \"KLH-10\" \"ITS\"\n"                                \
    "ai AAAA 2001:db8::f00:baa9\n"                                 \
    "b NS ns1.b\n"                                                 \
    "b NS ns2.b\n"                                                 \
    "ns1.b A 192.0.2.7\n"                                          \
    "ns2.b A 192.0.2.8\n"                                          \
    "ns1 A 192.0.2.1\n"                                            \
    "ns2 A 192.0.2.2\n"                                            \
    "*.w MX 1 ai\n"                                                \
    "x.w MX 1 xx\n"                                                \
    "x.y.w MX 1 xx\n"                                              \
    "xx A 192.0.2.10\n"                                            \
    "xx HINFO \"KLH-10\" \"TOPS-20\"\n"                            \
    "xx AAAA 2001:db8::f00:baaa\n"
