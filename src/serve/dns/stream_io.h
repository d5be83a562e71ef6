/* Streams: the connections of a thread, as bytes. Whoever speaks on them (tcp_io.c: DNS) is told
 * what came and says what goes. Accepting, limits, time and buffers are here; no message is known
 * here. */
#pragma once

#include "base/ip.h"
#include "base/time.h"
#include "model/stats.h"
#include "serve/dns/census.h"
#include "serve/dns/mailbox_io.h"
#include "serve/dns/policy.h"
#include "serve/dns/stream_limits.h"
#include "serve/dns/tls_keep_io.h"
#include <stdbool.h>
#include <stddef.h>

struct streams; /* all of one thread */

enum {
    STREAM_READ = 16 << 10,      /* taken from a stream at once */
    STREAM_KEEP_MAX = 2 + 65535, /* not consumed of what came: one message */
    STREAM_OWED_MAX = 16,        /* answers that may come later, on one stream */
};

/* Who has to go first: those that never asked, where they are many; then the idle; the busy last.
 */
enum stream_rank { STREAM_FRESH, STREAM_IDLE, STREAM_BUSY };
enum { STREAM_RANKS = 3 };

struct stream {
    struct streams *streams;
    struct ip client;
    void *own;            /* the speaker's; NULL at first */
    unsigned tls_version; /* 12, 13; 0: not over TLS */
    /* The rest is stream_io.c's alone. */
    struct stream *older, *newer;
    int fd;
    enum stream_rank rank;
    uint32_t interest; /* epoll's */
    bool counted;      /* in the census */
    bool preamble;     /* a proxy has to say first for whom it speaks */
    bool closed;       /* unlinked; freed after the events of this turn */
    bool ended;        /* the client sends no more: closes once all is sent */
    bool held;         /* nothing is heard for now */
    bool parting;      /* nothing is read any more; what waits is still sent */
    bool parted;       /* and the client was told that nothing comes any more */
    bool pumping;
    bool unheard;  /* there may be whole messages in `in` */
    unsigned owed; /* answers that are still to come */
    usec_t active;
    uint8_t *in, *out;      /* not consumed; not yet taken. NULL where there is nothing */
    struct tls_stream *tls; /* NULL: none */
    size_t charged;         /* of the memory of all */
    size_t in_length, in_size, out_length, out_sent, out_size;
};

/* A speaker writes with stream_write(); it may find the stream closed after that. */
struct stream_speaker {
    void *context;
    /* Takes whole messages; returns the bytes consumed, 0: there is no whole one, or stream_hold()
     * was called. Called until it returns 0 or what it wrote is not taken. */
    size_t (*heard)(void *context, struct stream *s, const uint8_t *data, size_t length);
    /* After stream_pump(), whenever all that was written has been taken: writes a little more.
     * True: that was all. */
    bool (*pump)(void *context, struct stream *s);
    /* The stream is about to be freed: `own` is the speaker's to free. */
    void (*closed)(void *context, struct stream *s);
};

struct stream_setup {
    const int *fds; /* listeners: the caller's; made non-blocking */
    unsigned fd_count;
    struct stream_limits limits;        /* of this thread */
    struct census *census;              /* of all threads; NULL: nobody is counted */
    struct tls_keep *tls;               /* all streams speak TLS; NULL: none does */
    const struct query_policy *proxies; /* who may speak for others, and has to say for whom; NULL:
                                           nobody has to */
    struct stats_thread *stats;
    struct stream_speaker speaker;
};

/* SHA-256 of the public key that the client showed over TLS; NULL: it showed none. */
const uint8_t *stream_pin(const struct stream *s);

must_check int streams_open(const struct stream_setup *setup, struct streams **ret);
/* Waits for what comes, and deals with it. A signal ends the wait. */
void streams_turn(struct streams *t);
/* What clients may be told: how long a stream may be idle; 0 where there is hardly room for more.
 */
usec_t streams_idle(const struct streams *t);
/* The thread is about to end, and another takes who comes from now on. Each client that asks how
 * long it may stay is told 0; who has been quiet for STREAM_LEAVE_QUIET_MS is closed; who goes on
 * asking is answered for STREAM_LEAVE_MS, then gets what it asked for until then, the end of the
 * stream, and STREAM_PART_MS to close it from its side: what was sent is not cut off. Go on with
 * streams_turn() until streams_left(). */
enum { STREAM_LEAVE_QUIET_MS = 500, STREAM_LEAVE_MS = 3000, STREAM_PART_MS = 1000 };
void streams_leave(struct streams *t);
bool streams_left(const struct streams *t);
/* Closes all; NULL is fine. */
void streams_close(struct streams *t);

/* Sends, and keeps what the kernel does not take. The speaker bounds what it writes: while anything
 * waits it is not asked for more. */
void stream_write(struct stream *s, const uint8_t *data, size_t length);
/* From now on pump() is called; what comes meanwhile is heard, too. */
void stream_pump(struct stream *s);
/* Nothing is heard until the pump has ended or an answer that is owed has come. */
void stream_hold(struct stream *s);

/* Nothing more is heard: closes once what is owed and written has been taken. */
void stream_finish(struct stream *s);

/* The right to write once, later, on a stream that may have died meanwhile. */
struct stream_ticket {
    struct mailbox *mailbox; /* NULL: there is none */
    uint64_t token;
};
/* None where STREAM_OWED_MAX answers are owed on this stream, or OWED_MAX in this thread: the
 * speaker holds the stream, or says that it cannot. An answer that has not come after
 * limits.patience is no longer waited for. */
must_check struct stream_ticket stream_owe(struct stream *s);
/* Writes head and body in one go. Once for each ticket; from any thread, also when the streams are
 * closed. */
void stream_pay(struct stream_ticket ticket, const uint8_t *head, size_t head_length,
                const uint8_t *body, size_t body_length);
/* It will not be paid. */
void stream_ticket_drop(struct stream_ticket ticket);
