/* One connection between two nodes, above TLS: messages on channels, cut into chunks so that a long
 * one delays no other, bounded on both sides; the first words, and a beat that tells whether the
 * other side lives, how far away it is and how its clock differs. Pure: bytes and time in, bytes
 * and messages out.
 *
 *   chunk: channel u8 | flags u8 (1: the message's last) | length u16 | bytes
 *
 * States: a link begins; each side says who it is (HELLO); the link is up once the other's HELLO
 * fits. A message on another channel before that, an unknown channel, a message that is too long or
 * a silence of LINK_SILENT ends it (link_reason). */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of what the channels carry, the link knows only the first. */
enum mesh_channel {
    MESH_LINK,
    MESH_RAFT,
    MESH_REQUESTS,
    MESH_IDENTITY,
    MESH_SAMPLES, /* the newest few only: the oldest that waits makes room for the next */
    MESH_JOIN,    /* between a node and somebody who is invited, alone */
};
enum {
    MESH_CHANNELS = 6,
    LINK_VERSION = 1,
    LINK_CHUNK_MAX = 16384,
    LINK_HEAD = 4,
    LINK_CLUSTER_SIZE = 16,
    LINK_REQUEST_MAX = 16 << 10, /* of somebody who is invited, with his proof */
    LINK_SOFTWARE_MAX = 32,      /* bytes of the program's version, with the NUL */
    LINK_SEEN_MAX = 64,          /* nodes that one tells to be linked with */
    LINK_SAMPLES = 10, /* messages of MESH_SAMPLES that may wait: a whole table in its slices */
    LINK_OFFSETS = 8,  /* measurements of the clock; the one with the shortest way counts */
};
#define LINK_BEAT   (1 * USEC_PER_SEC)
#define LINK_SILENT (5 * USEC_PER_SEC)

/* Bytes of the longest message of a channel, and of all that may wait to be sent on it (one message
 * always may). */
const_function size_t link_message_max(enum mesh_channel channel);
const_function size_t link_queue_max(enum mesh_channel channel);

/* Who a side says it is, in its HELLO. */
struct link_self {
    uint64_t id;
    uint8_t cluster[LINK_CLUSTER_SIZE];
    char software[LINK_SOFTWARE_MAX];
};

/* What each side tells on the beat. */
struct link_state {
    uint64_t applied;             /* the newest change of the intent that it has */
    int64_t certificate_end;      /* seconds since 1970 */
    uint64_t seen[LINK_SEEN_MAX]; /* numbers of the nodes that it is linked with */
    uint32_t seen_count;
};

/* What is known of the other side. */
struct link_view {
    struct link_self self;
    struct link_state state;
    bool has_state;
    usec_t round_trip;    /* 0: not measured yet */
    int64_t clock_offset; /* microseconds its clock is ahead of ours; with round_trip */
    usec_t heard;         /* when the newest bytes came */
    uint64_t bytes_in, bytes_out, dropped; /* dropped: messages of MESH_SAMPLES */
};

struct link;
/* A whole message; the bytes are the link's. */
typedef void link_take(void *context, enum mesh_channel channel, const uint8_t *data, size_t size);

/* guest_max: 0; or one side is somebody without a certificate: no first words, no beat, MESH_JOIN
 * alone, and what the other side says is at most so long. */
struct link *link_new(const struct link_self *self, size_t guest_max, usec_t now)
    __attribute__((returns_nonnull));
void link_free(struct link *l);

/* Bytes from the other side. 0, or ERR_INVALID, ERR_LIMIT, ERR_VERSION: the link ends. */
must_check int link_receive(struct link *l, const void *data, size_t size, usec_t now, int64_t wall,
                            link_take *take, void *context);
/* A message for the other side (copied). 0, or ERR_LIMIT: too much waits, or it is too long. */
must_check int link_send(struct link *l, enum mesh_channel channel, const void *data, size_t size);
/* The next bytes to be sent, at most LINK_HEAD + LINK_CHUNK_MAX: how many; 0: none. */
must_check size_t link_give(struct link *l, uint8_t buffer[static LINK_HEAD + LINK_CHUNK_MAX]);
/* Time passes: what is due is queued. 0, or ERR_TRUNCATED: the other side is silent. */
must_check int link_beat(struct link *l, const struct link_state *state, usec_t now, int64_t wall);
/* The last words: why the link ends. */
void link_bye(struct link *l, const char *sentence);
/* The other side is asked to connect anew: this one has another certificate. */
void link_renew(struct link *l);

/* Did the other side say who it is? */
pure_function bool link_is_up(const struct link *l);
/* Was this side asked to connect anew? True once. */
bool link_renew_asked(struct link *l);
const struct link_view *link_view(const struct link *l);
/* Why it ended, a sentence; also the last words of the other side. */
const char *link_reason(const struct link *l);
