/* What one vantage tells the others: all that it sees, whole, once a second (L6).
 *
 * A table goes out in slices that are spread over the second (model/sample_turns.h), so that what
 * was seen does not wait for a beat. How many entries a slice has is settled by the configuration
 * and never by what happens: calm and crisis cost the same. A slice is one message or, where it is
 * long, several, each of which says everything needed to use it, so that a lost one costs one
 * second of what it carried and nothing else.
 *
 *   "HFST" | version u8 | health u8 | entries u16 | vantage u64 | boot u64 | sequence u64
 *   | config u64 | made i64 | wall i64 | node, site, network 64 bytes each
 *   | entries, 56 bytes each | XXH3 of all before u64
 *
 * All big-endian. Entries are named by what is probed (target_identity), not by their place: nodes
 * need not have the same configuration at the same moment.
 *
 * Times are ages against `made`, which is the sender's monotonic clock: a receiver compares `made`
 * of one message with that of another and never with its own clock (model/vantage.h). */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "model/sample.h"
#include "model/target.h"
#include <stdint.h>

enum {
    SAMPLE_TABLE_VERSION = 2,
    SAMPLE_PART_ENTRIES = 128, /* at most */
    SAMPLE_HEAD_SIZE = 248,
    SAMPLE_ENTRY_SIZE = 56,
    SAMPLE_PART_SIZE_MAX = SAMPLE_HEAD_SIZE + SAMPLE_PART_ENTRIES * SAMPLE_ENTRY_SIZE + 8,
    SAMPLE_NAME_SIZE = 64, /* a label of 63 and its end */
};

/* What a vantage says of itself. */
enum vantage_health {
    VANTAGE_LATE = 1,       /* its prober is behind: what it says now is not to be used (L4) */
    VANTAGE_REFERENCES = 2, /* most of its reference targets fail (L8) */
    VANTAGE_BLIND = 4,      /* nearly all that it looks at fails, and it has no references (L8) */
};
enum { VANTAGE_HEALTHS = 7 }; /* all of them */

enum sample_entry_flag {
    SAMPLE_PAUSED = 1, /* not probed, on purpose */
};
enum { SAMPLE_ENTRY_FLAGS = 1 };

#define SAMPLE_AGE_NONE UINT32_MAX /* never */

struct sample_entry {
    uint64_t identity;   /* target_identity() */
    uint8_t state;       /* enum verdict_state: its own judgement */
    uint8_t reason;      /* enum reason of the newest sample; its phase is reason_phase() */
    uint8_t down_reason; /* enum reason that brought it down; REASON_OK while up */
    uint8_t flags;       /* enum sample_entry_flag */
    uint16_t run;        /* samples in a row like the newest one; saturating */
    uint16_t status;     /* of the newest sample */
    uint32_t since_ms;   /* age of the state; saturating below SAMPLE_AGE_NONE */
    uint32_t sampled_ms; /* age of the newest sample; SAMPLE_AGE_NONE: none yet */
    struct loss_count counts[LOSS_KINDS]; /* since the vantage started; wrap */
    uint32_t p50_us, p99_us;              /* latency of the last minute; 0 = not known */
    uint32_t usual_us;                    /* what p99_us is at this hour as a rule; 0 = not known */
    uint32_t connect_us;                  /* damped connect time; 0 = not known */
};

struct sample_head {
    uint64_t vantage;  /* number of the node; 0 is nobody's */
    uint64_t boot;     /* of the sender's process: other numbers, other clocks and counters */
    uint64_t sequence; /* of the slice; rises */
    uint64_t config;   /* fingerprint of its configuration */
    usec_t made;       /* the sender's monotonic clock */
    int64_t wall;      /* the sender's wall clock, microseconds since 1970: shown, never reckoned
                          with */
    uint8_t health;    /* enum vantage_health */
    char node[SAMPLE_NAME_SIZE], site[SAMPLE_NAME_SIZE], network[SAMPLE_NAME_SIZE];
};

struct sample_part {
    struct sample_head head;
    uint32_t count;
    struct sample_entry entries[SAMPLE_PART_ENTRIES];
};

/* What a target is called among nodes: a hash of service, endpoint, address, family, the name of
 * its check and its hostname; never 0. */
uint64_t target_identity(const struct config *config, const struct target *target);

/* Messages that a slice of so many entries makes; at least one. */
const_function uint32_t sample_parts(uint32_t entries);
/* Writes all messages of a slice behind one another; buffer: room for sample_parts(count) of them,
 * of SAMPLE_PART_SIZE_MAX each. The size of all, which depends on count alone. */
size_t sample_slice_encode(const struct sample_head *head, const struct sample_entry *entries,
                           uint32_t count, uint8_t *buffer);
/* The size of the message that begins here, as its head has it: several may lie behind one another.
 * 0: there is not even a head. */
pure_function size_t sample_part_size(const uint8_t *data, size_t size);
/* ERR_TRUNCATED, ERR_MAGIC, ERR_VERSION, ERR_CHECKSUM, ERR_BOUNDS (a count that does not fit),
 * ERR_INVALID (values that no vantage says). */
must_check int sample_part_decode(const uint8_t *data, size_t size, struct sample_part *ret);
