/* AF_XDP between the supervisor and the dns role: who opens what, with which privileges. What
 * cannot be had is said in the log, and served through the sockets, which are open in any case. */
#pragma once

#include "model/config.h"
#include "prog/role.h"

/* The supervisor: starts the filters of dns.xdp. release_fd: of the program before an upgrade, -1
 * at other times; its role is told to leave the queues. */
void xdp_begin(const struct config *c, int release_fd, struct role_options *dns);

/* The supervisor's --xdp for the role, in `t`, and the role's reading of it. */
void xdp_format(const struct role_options *dns, struct text *t);
void xdp_parse(const char *text, struct role_options *dns);

/* The role, before it drops its privileges: opens the queues. Returns how many; appends to `note`
 * which way the queries of each interface go. */
unsigned xdp_open(const struct role_options *dns,
                  struct xdp_socket *ret[static XDP_INTERFACES_MAX * XDP_QUEUES_MAX],
                  struct text *note);
