/* Inside observe: what the kinds of probes share. A slot is a target in place; it runs at most one
 * probe at a time.
 *
 *   idle --slot_start--> running --slot_finish--> idle       (a sample is handed over)
 *                        running --slot_abandon--> idle      (no sample: the target is gone) */
#pragma once

#include "base/ip.h"
#include "model/config.h"
#include "model/sample.h"
#include "observe/classify.h"
#include "observe/heap.h"
#include "observe/observe_io.h"
#include "observe/resolvers.h"
#include "observe/schedule.h"
#include <netinet/in.h>
#include <openssl/types.h>
#include <sys/epoll.h>

struct slot;

/* One kind of probe. All run inside the loop and never block. */
struct probe_kind {
    /* Makes what every probe of this target needs; false: the prober cannot probe it. May be NULL.
     */
    bool (*prepare)(struct slot *s);
    void (*release)(struct slot *s); /* undoes prepare; may be NULL */
    void (*renew)(struct slot *s);   /* kept in a new list: files may have changed; may be NULL */
    void (*start)(struct slot *s);   /* may call slot_finish at once */
    void (*event)(struct slot *s,
                  uint32_t events); /* of a socket given to slot_watch; may be NULL */
    void (*expire)(struct slot *s); /* the deadline: must call slot_finish or slot_deadline */
    void (*stop)(struct slot *s);   /* gives up what start took; called once for each start */
};

struct slot {
    struct observer *observer;
    const struct probe_kind *kind;
    const struct config_check *check;
    struct ip address;
    const char *hostname; /* a name is probed, beside this address; else NULL */
    struct slot *parent;  /* an address that a name led to: its results are the name's */
    const struct config_check *child_check; /* of a name: for what it leads to */
    uint32_t id;                            /* in observer->slots */
    uint32_t target;                        /* index in the caller's list */
    uint64_t identity;                      /* address, check and which of several equal ones */
    uint32_t serial; /* of the running probe: an event of another one is stale */
    bool prepared, paused, running;
    bool pending; /* fell due while the probe before it was still running */
    bool claimed; /* while lists are compared */
    int fd;       /* socket of the running probe, -1 */
    usec_t lag;   /* the loop's largest delay while the probe ran */
    struct sample sample;
    void *state; /* of the kind, from prepare to release */
};

/* Whose an event of the shared epoll is. */
enum event_owner { EVENT_SLOT, EVENT_CURL, EVENT_ICMP };

static inline uint64_t event_mark(enum event_owner owner, uint32_t high, uint32_t low)
{
    return (uint64_t)owner << 56 | (uint64_t)high << 32 | low;
}

struct http_engine;
struct icmp_engine;
struct trust;

struct observer {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_poll_t poll;
    int closing; /* handles still to close */
    int epoll;   /* all probe sockets; libuv watches only this one */
    observe_sink *sink;
    void *context;
    uint32_t epoch;
    struct schedule schedule;
    struct heap deadlines; /* of the running slots */
    struct slot **slots;   /* by id; NULL = free */
    uint32_t slot_count;
    size_t slot_size;
    uint32_t serial;
    usec_t armed;     /* when the timer should fire; USEC_NEVER = not armed */
    usec_t lag_floor; /* smallest delay that may affect a probe: also the beat of the timer */
    usec_t curl_due;  /* when libcurl wants to be called */
    struct sample *finished; /* handed over at the end of each turn */
    size_t finished_count, finished_size;
    uint32_t *waiting; /* slots to start as soon as this turn allows */
    size_t waiting_count, waiting_size;
    uint32_t free_hint; /* no free slot below this */
    struct resolver resolvers[RESOLVERS_MAX];
    uint32_t resolver_count;
    bool resolvers_said;  /* by the configuration, not the system */
    usec_t resolvers_due; /* when the system's are read again */
    usec_t resolved;      /* when one of them last resolved a name, or said that there is none */
    bool resolvers_dumb;  /* nobody of them answered when last asked: said in the log */
    struct trust *trusts;
    struct http_engine *http;
    struct icmp_engine *icmp;
    SSL_CTX *tls; /* for checks of kind tls; made when first needed */
};

/* Watches a socket of the running probe; events: EPOLLIN, EPOLLOUT. Again with the same fd: changes
 * the events. 0 or negative errno. */
must_check int slot_watch(struct slot *s, int fd, uint32_t events);
void slot_finish(struct slot *s, enum reason reason);
/* The running probe is to expire at `when` instead. */
void slot_deadline(struct slot *s, usec_t when);
/* For names: a slot for an address, which is in no schedule; it is prepared. */
struct slot *slot_child(struct slot *parent, const struct ip *address);
void slot_start(struct slot *s);
void slot_abandon(struct slot *s); /* nothing where no probe is running */
void slot_drop(struct slot *s);
/* Ends with REASON_INTERNAL and says why in the log. */
void slot_fail(struct slot *s, const char *what, int error);
/* Notes the time since `from` as the phase's, returns now. */
usec_t slot_phase(struct slot *s, enum phase phase, usec_t from);
/* Closes s->fd (which leaves the epoll by that). */
void slot_close(struct slot *s);
struct slot *observer_slot(struct observer *o, uint32_t id, uint32_t serial);

/* Has this host no route at all to the address? */
bool address_no_route(const struct ip *ip);
/* Opens a TCP socket that sends RST when closed and starts connecting: 0 or negative errno. */
must_check int stream_connect(struct slot *s);
/* The outcome of the connect: 0 (the phase is noted) or positive errno. */
must_check int stream_connected(struct slot *s);
/* Notes what became of the segments that the probe sent over a socket that is still open. */
void stream_segments(struct slot *s, int fd);
/* The same, and closes the probe's socket. */
void stream_end(struct slot *s);
/* Finishes the probe for a connect that failed with this errno (positive). */
void stream_failed(struct slot *s, int error);

extern const struct probe_kind probe_tcp, probe_tls, probe_http, probe_icmp, probe_dns, probe_name;

/* name_io.c: a probe of an address that the name led to has ended. */
void name_child_ended(struct slot *parent, const struct sample *sample);

/* http_io.c */
void http_event(struct observer *o, int fd, uint32_t events);
void http_timeout(struct observer *o);
void http_close(struct observer *o);

/* tls_io.c */
void tls_close(struct observer *o);

/* icmp_io.c */
void icmp_event(struct observer *o, enum ip_family family);
void icmp_close(struct observer *o);

/* certificate_io.c: what certificates are trusted, one store for each file, read at
 * observer_targets(). */
struct trust {
    struct trust *next;
    char *ca;          /* NULL: the system's */
    X509_STORE *store; /* NULL: could not be read */
    uint32_t users;
};
/* The store of the check's file, NULL where it cannot be read. Give back with trust_put. */
struct trust *trust_get(struct observer *o, const char *ca);
void trust_put(struct trust *t);
/* Exchanges *trust (which may be NULL) for what the file holds now; where it cannot be read now,
 * what was read before stays (L1). */
void trust_renew(struct slot *s, struct trust **trust);
/* A new list of targets: what was read before is not given out again. */
void trust_forget(struct observer *o);
/* For SSL_CTX_set_cert_verify_callback: notes the leaf's end in the slot's sample and checks the
 * chain if the check wants it; *ret_verify = X509_V_ERR_*. Returns 1 to go on. trust may be NULL
 * where nothing is verified. */
int certificate_check(X509_STORE_CTX *seen, struct slot *s, const struct trust *trust,
                      long *ret_verify);
