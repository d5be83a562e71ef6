/* Sockets, opened the way servers here need them. All are close-on-exec and blocking; errors are
 * negated errno values. */
#pragma once

#include "base/attr.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* A bound UDP socket. With `reuseport` several sockets share the port and the kernel spreads
 * clients over them. Bound to the any-address it reports for each datagram the address it came to
 * (IP_PKTINFO, IPV6_RECVPKTINFO), so that the answer leaves from there. Path MTU messages, which
 * anybody can forge, do not shrink what it sends. */
must_check int net_udp_open(const struct ip *ip, uint16_t port, bool reuseport, int *ret_fd);

must_check int net_tcp_listen(const struct ip *ip, uint16_t port, bool reuseport, int backlog,
                              int *ret_fd);

/* Listens on a path; type: SOCK_STREAM or SOCK_SEQPACKET. A socket that nobody listens on any more
 * is replaced; -EADDRINUSE where somebody does or where the path is something else. */
must_check int net_unix_listen(const char *path, int type, mode_t mode, int *ret_fd);

/* Waits at most 5 s for a listener that is busy (-EAGAIN); not at all with SOCK_NONBLOCK in type.
 */
must_check int net_unix_connect(const char *path, int type, int *ret_fd);

must_check int net_nonblocking(int fd, bool on);

/* The address a socket is bound to. */
must_check int net_local(int fd, struct ip *ret_ip, uint16_t *ret_port);

/* What became of the TCP segments that a socket of ours sent. */
struct net_segments {
    bool answered;     /* the SYN */
    uint32_t data;     /* segments with data, each time they were sent */
    uint32_t again;    /* of these and SYNs, sent more than once */
    uint32_t needless; /* of those, that the other side had already (RFC 2883) */
};
must_check int net_segments(int fd, struct net_segments *ret);

/* Fills `ret`, returns how much of it counts. */
socklen_t net_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *ret);

/* -EAFNOSUPPORT where it is neither IPv4 nor IPv6. */
must_check int net_ip_of(const struct sockaddr *sockaddr, struct ip *ret_ip, uint16_t *ret_port);
