/* The board: the verdicts of all targets as they are this instant, written by control on every beat
 * whether anything changed or not (L6), in a mapped file of fixed size per configuration:
 * DATA/run/board. For people and metrics (status, tell); no decision reads it. */
#pragma once

#include "base/attr.h"
#include "model/plan.h"
#include <stdatomic.h>

enum { BOARD_VERSION = 2, BOARD_TARGETS_MAX = 4 << 20 };

struct board_header {
    char magic[8];
    uint32_t version, target_count;
    uint64_t boot_id, config_fingerprint;
    _Atomic uint64_t sequence;   /* odd while being written (a seqlock) */
    _Atomic int64_t beat;        /* monotonic time of the newest write; 0 = none yet */
    _Atomic uint64_t generation; /* of the plan it belongs to */
    uint32_t target_size;        /* of a target and its view: another program's is not read */
    _Atomic uint32_t view_count; /* 0: the plan has none */
};

struct board {
    struct board_header *header;
    struct plan_target *targets; /* their views follow */
    size_t size;
};

/* Makes DATA/run/board (and DATA/run) for a configuration; it takes the place of an older one at
 * once. Call again after a reload. 0 or a negated errno: then go on without a board (L1). */
must_check int board_create(const char *data, uint32_t target_count, uint64_t boot_id,
                            uint64_t config_fingerprint, struct board *ret);
/* plan->target_count must be what the board was made for. One writer. */
void board_write(struct board *b, const struct plan *plan, usec_t now);
/* Read-only: ERR_MISSING, ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, or a negated errno. */
must_check int board_open(const char *data, struct board *ret);
/* A consistent copy of targets, followed by their views (mem_new'd; free), and header fields;
 * ERR_CONFLICT when it kept changing, ERR_MISSING before the first write. */
must_check int board_read(const struct board *b, struct plan_target **ret_targets,
                          struct board_header *ret_header);
/* The views behind the targets of a copy; NULL: the plan has none. */
static inline const struct plan_view *board_views(const struct plan_target *targets,
                                                  const struct board_header *header)
{
    return header->view_count ? (const struct plan_view *)(targets + header->target_count) : NULL;
}
void board_close(struct board *b);
