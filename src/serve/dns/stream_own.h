/* The two halves of a thread's streams: who is in and who has to go (stream_open_io.c), and what
 * goes to and fro (stream_io.c). */
#pragma once

#include "serve/dns/owed.h"
#include "serve/dns/stream_io.h"

enum { STREAM_ROOM = STREAM_KEEP_MAX + STREAM_READ + TLS_RECORD };

struct streams {
    struct stream_setup setup;
    int epoll_fd;
    unsigned count, rank_count[STREAM_RANKS];
    struct stream lists[STREAM_RANKS]; /* heads; .newer is the oldest */
    struct stream *closed;             /* through `older` */
    struct owed owed;
    struct mailbox *mailbox; /* answers that are owed */
    int mailbox_fd;
    usec_t now;
    size_t memory;
    usec_t handshakes_until; /* the rate is spent up to here */
    bool paused;             /* nothing is accepted for now */
    usec_t part_at;          /* USEC_NEVER: nobody leaves; else see streams_leave() */
    uint8_t *read;           /* STREAM_ROOM */
    uint8_t cipher[STREAM_READ];
};

bool stream_is_busy(const struct stream *s);
/* Something happened that counts. */
void stream_touch(struct stream *s);
/* The least recently active of a rank; NULL: there is none. */
struct stream *streams_oldest(struct streams *t, enum stream_rank rank);

/* Twice is fine. Memory stays until streams_free_closed(). */
void stream_close(struct stream *s);
void streams_free_closed(struct streams *t);

/* Takes note of what the stream holds; closes, where all hold too much. */
void stream_charge(struct stream *s);
void streams_bound_memory(struct streams *t);
/* False: the client has too many. */
must_check bool stream_count(struct stream *s);

/* Takes those who wait at a listener, as far as the rate of handshakes allows, and listens or not.
 */
void streams_accept(struct streams *t, int fd);
void streams_listen(struct streams *t, bool on);
