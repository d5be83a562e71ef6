/* Interfaces that hand queries straight to the name server (AF_XDP): what needs privileges and
 * outlives the server's process. The supervisor holds it. */
#pragma once

#include "base/attr.h"
#include "serve/dns/xdp_program.h"
#include <stdbool.h>

enum { XDP_NAME_MAX = 16, XDP_INTERFACES_MAX = 8, XDP_QUEUES_MAX = 64 };

struct xdp_interface {
    char name[XDP_NAME_MAX];
    int index;
    unsigned mtu, queues; /* receive queues, at most XDP_QUEUES_MAX */
    bool native;          /* run by the driver; else by the kernel, on its own packets */
    int map_fd;           /* from queue to socket */
    int link_fd;          /* while this is open the filter runs */
};

/* Starts the filter for the addresses that are on this host; any-addresses stand for all those that
 * the host has now. Needs CAP_NET_ADMIN and CAP_BPF. ERR_MISSING: there is no such interface;
 * ERR_INVALID: no Ethernet, or an MTU outside 1280..XDP_MTU_MAX; ERR_LIMIT: more addresses than
 * XDP_ADDRESSES_MAX; -EBUSY: it runs another's filter; or what the kernel says. */
must_check int xdp_attach(const char *name, const struct xdp_address *listens, unsigned count,
                          struct xdp_interface *ret);
