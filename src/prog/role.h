/* The roles of a node: what the supervisor hands to each, and where each begins. */
#pragma once

#include "base/time.h"
#include "serve/dns/xdp_link_io.h"
#include <stdbool.h>

enum role_kind { ROLE_CONTROL, ROLE_DNS, ROLE_TELL };
enum { ROLES = 3, ROLE_FDS_MAX = 1024 };

/* What a role knows of the world when it starts: nothing is inherited but these and three
 * descriptors. */
struct role_options {
    const char *data;   /* the node's folder */
    const char *config; /* control only */
    const char *user;   /* to become, when started by root; NULL = stay */
    int ready_fd;       /* one byte is written here once the role serves; -1 = nobody waits */
    int udp_fds[ROLE_FDS_MAX], tcp_fds[ROLE_FDS_MAX]; /* open sockets */
    unsigned udp_count, tcp_count;
    /* dns: the last of udp_fds are for proxies; tcp_fds are for clients, then for proxies, then
     * both over TLS. */
    unsigned proxy_udp_count, proxy_tcp_count, tls_count, proxy_tls_count;
    unsigned threads, udp_size;
    bool client_subnet;
    int policy_fd;                                /* dns only: prog/policy.h; -1 = none */
    struct xdp_interface xdp[XDP_INTERFACES_MAX]; /* dns only */
    unsigned xdp_count;
    struct xdp_refusal { /* what the supervisor could not have */
        char name[XDP_NAME_MAX];
        int err;
    } xdp_refused[XDP_INTERFACES_MAX];
    unsigned xdp_refused_count;
    int xdp_release_fd; /* an event: leave the queues, a new program wants them; -1 = none */
    struct xdp_socket *const *xdp_sockets; /* the role's, opened from the above */
    unsigned xdp_socket_count;
    const char *xdp_note; /* which way the queries of each interface of dns.xdp go, for people */
    int log_level, log_format;
};

int role_control(const struct role_options *o);
int role_dns(const struct role_options *o);
int role_tell(const struct role_options *o);

const char *role_name(enum role_kind role);
/* Tells the supervisor that the role serves. */
void role_ready(const struct role_options *o);
/* A descriptor that becomes readable at SIGTERM or SIGINT; both are blocked from here on. */
int role_stop_fd(void);
