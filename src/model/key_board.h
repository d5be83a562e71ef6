/* What the keys of signed zones want of people, and when: DATA/run/keys, written by control when a
 * key or a signature changed, read by status and metrics, with control dead too. Bounded whatever
 * the number of zones: those that want somebody stand first, then those whose signatures end
 * soonest. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "wire/dname.h"
#include <stdbool.h>
#include <stdint.h>

enum { KEY_BOARD_VERSION = 1, KEY_BOARD_MAX = 100 };

/* What a person has to do. */
enum key_board_need {
    KEYS_DS_GIVE = 1,   /* to the parent */
    KEYS_DS_REMOVE = 2, /* from the parent */
    KEYS_STUCK = 4,     /* it cannot be signed anew; the log says why */
};

/* All times in seconds since 1970; 0 = none. */
struct key_board_zone {
    char name[DNAME_TEXT_MAX]; /* as in the configuration */
    uint8_t needs;             /* enum key_board_need */
    int64_t next_event;        /* a key takes a step by itself */
    int64_t signatures_end;    /* the first of them */
    int64_t alarm;             /* from then on they are late to be renewed */
};

struct key_board {
    char magic[8];
    uint32_t version;
    uint32_t count;                     /* of zones[] */
    uint32_t total;                     /* signed zones */
    uint32_t needy;                     /* those that want somebody */
    int64_t steered_end, steered_alarm; /* as in a zone: of the signatures in the newest plan */
    struct key_board_zone zones[KEY_BOARD_MAX];
};

void key_board_init(struct key_board *b);
/* Takes a zone in, in the order above; one that finds no place is counted alone. */
void key_board_add(struct key_board *b, const struct key_board_zone *z);

/* key_board_io.c. 0 or a negated errno: then go on without (L1). */
must_check int key_board_write(const char *data, const struct key_board *b);
/* *ret is mem_new'd. ERR_MISSING; ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, ERR_BOUNDS; or a negated
 * errno. */
must_check int key_board_read(const char *data, struct key_board **ret);

/* One sentence, ended by a newline, for each zone whose signatures are late at `wall`; how many. */
unsigned key_board_alarms(const struct key_board *b, int64_t wall, struct text *out);
