/* An upgrade of the running program: the supervisor replaces itself by the new binary (exec keeps
 * its process number, its descriptors and its children), tells it what it holds, and the new one
 * replaces role after role. The old name server serves until the new one says that it does; both
 * read the same sockets meanwhile. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include "prog/role.h"
#include <sys/types.h>

#define HANDOVER_VARIABLE "HOLDFAST_HANDOVER"

struct handover {
    int lock_fd;
    int udp_fds[ROLE_FDS_MAX], tcp_fds[ROLE_FDS_MAX], tell_fds[ROLE_FDS_MAX],
        api_fds[ROLE_FDS_MAX]; /* open; taken ones become -1 */
    unsigned udp_count, tcp_count, tell_count, api_count;
    int xdp_release_fd; /* an event that has the old name server leave its queues; -1 = none */
    pid_t pids[ROLES];  /* children that go on; 0 = none */
};

/* What was handed over by the program before this one: 0 and *ret filled; -ENOENT: nothing, this is
 * a start like any other; ERR_SYNTAX. The variable is removed, the descriptors are close-on-exec
 * again. */
must_check int handover_receive(struct handover *ret);
/* Puts it into the environment and lets the descriptors pass exec. */
must_check int handover_give(const struct handover *h);
/* A descriptor of the list that is bound to this address, taken out of it, or -1. */
int handover_take(int *fds, unsigned count, const struct ip *ip, uint16_t port);
/* Closes what was not taken: addresses that are no longer listened on. */
void handover_close(struct handover *h);
