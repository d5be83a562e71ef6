/* The name server's shell: sockets, threads, and the newest plan. All thinking is in query.h and
 * served.h. */
#pragma once

#include "base/time.h"
#include "model/stats.h"
#include "serve/dns/stream_limits.h"
#include <stdbool.h>

struct dns_server_options {
    const char *data;   /* the node's folder: plans and store */
    const int *udp_fds; /* bound sockets, one a thread and address (SO_REUSEPORT) */
    unsigned udp_count;
    /* Listening sockets; made non-blocking: for clients, then for proxies, then both over TLS. */
    const int *tcp_fds;
    unsigned tcp_count, proxy_tcp_count, tls_count, proxy_tls_count; /* the first is of all four */
    unsigned proxy_udp_count;      /* the last of udp_fds are behind proxies */
    struct xdp_socket *const *xdp; /* queues with raw packets; may be none */
    unsigned xdp_count;
    int xdp_release_fd;                /* readable: leave the queues, go on with the sockets */
    unsigned threads;                  /* at most this many for TCP; UDP has one a socket */
    unsigned udp_size;                 /* EDNS size, 512..4096; 0 = 1232 */
    bool client_subnet;                /* heed RFC 7871 */
    const struct query_policy *policy; /* may be NULL; outlives the server */
    struct stream_limits tcp, tls;     /* over all threads */
    bool tls_ask;                      /* clients for their certificates */
    const uint8_t *ticket_secret;      /* TLS_TICKET_SECRET bytes; NULL: no session is resumed */
    /* udp_count + xdp_count + tcp_count + 1 threads: UDP workers, XDP workers, TCP workers, and
     * last the main thread, which alone sets PLAN_GENERATION: the generation that every worker has
     * reached, the sleeping ones included. */
    const struct stats_file *stats;
    int stop_fd; /* readable: stop */
    /* Once it answers from a plan; where there is none for five seconds, all the same. May be NULL.
     */
    void (*ready)(void *context);
    void *context;
};

/* Serves until stop_fd becomes readable; then 0. Negative where it could not start. Without any
 * plan every query gets SERVFAIL; a plan that does not pass the checks is counted, logged, and
 * changes nothing (L1, L2). Descriptors stay the caller's. Uses SIGUSR2 within the process to wake
 * its threads at the end. Queues are closed at the end, or when they are to be left. */
must_check int dns_server_run(const struct dns_server_options *options);
