/* The filter that an interface runs on each packet: queries to our addresses go to the worker of
 * the queue they came in by, everything else goes its usual way. Pure.
 *
 * It is made from the addresses, instruction by instruction: no compiler, no loader library and no
 * lookup on the way of a packet. doc/internals/xdp.md says why. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include <linux/bpf.h>

enum { XDP_ADDRESSES_MAX = 64, XDP_PROGRAM_MAX = 48 + 11 * XDP_ADDRESSES_MAX };

struct xdp_address {
    struct ip ip; /* never the any-address */
    uint16_t port;
};

/* Takes plain UDP packets (wire/packet.h) addressed to `mac` and to one of the addresses, with a
 * message of opcode QUERY: all others (NOTIFY, UPDATE; a PROXY header, too, reads as another
 * opcode) are for the sockets. A queue without a socket in the map lets them pass as well. map_fd:
 * a BPF_MAP_TYPE_XSKMAP. Returns how many instructions there are. */
unsigned xdp_program_make(const struct xdp_address *addresses, unsigned count,
                          const uint8_t mac[static 6], int map_fd,
                          struct bpf_insn ret[static XDP_PROGRAM_MAX]);
