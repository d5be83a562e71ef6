/* What the threads of the name server share, and what each has. */
#pragma once

#include "base/reclaim.h"
#include "seam/clock.h"
#include "serve/dns/census.h"
#include "serve/dns/cookie_keep_io.h"
#include "serve/dns/query.h"
#include "serve/dns/relay_io.h"
#include "serve/dns/server_io.h"
#include "serve/dns/tls_keep_io.h"
#include <pthread.h>
#include <stdatomic.h>

struct worker {
    const struct dns_server_options *options;
    struct reclaim *reclaim; /* of struct served */
    const _Atomic bool *stop;
    const _Atomic bool *stale; /* what query_context says */
    _Atomic bool done;
    unsigned slot;  /* in reclaim, and of its counters */
    const int *fds; /* UDP: one; TCP: its listeners */
    unsigned fd_count;
    struct stream_limits limits; /* TCP, TLS: of this thread */
    struct census *census;       /* TCP, TLS: of all threads */
    struct tls_keep *tls;        /* TLS: what it shows */
    bool proxied;                /* UDP, TCP: a header says who asks */
    struct xdp_socket *xdp;      /* XDP: its queue */
    struct relay *relay;         /* of the process; NULL = none */
    struct cookie_keep *cookies; /* NULL: none are given */
    unsigned cookies_version;    /* of those in ctx */
    struct query_context ctx;
    pthread_t thread;
} cache_aligned;

/* Thread bodies: run until *stop is set; a signal interrupts their waiting. */
void *udp_worker_run(void *worker);
void *xdp_worker_run(void *worker);
void *tcp_worker_run(void *worker);

static inline const struct served *worker_enter(struct worker *w)
{
    if (unlikely(w->ctx.limit))
        w->ctx.now = clock_now();
    if (w->cookies)
        cookie_keep_follow(w->cookies, &w->cookies_version, &w->ctx.cookies);
    w->ctx.stale = atomic_load_explicit(w->stale, memory_order_relaxed);
    return reclaim_enter(w->reclaim, w->slot, served_epoch);
}
static inline void worker_leave(struct worker *w)
{
    reclaim_leave(w->reclaim, w->slot);
}
static inline bool worker_stopped(const struct worker *w)
{
    return atomic_load_explicit(w->stop, memory_order_relaxed);
}
