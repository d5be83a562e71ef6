/* Slow failures: what is measured of a target over minutes and days, beside its verdict.
 * decide/slow.h measures it. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "model/sample.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slow_fact {
    struct loss_count counts[LOSS_KINDS]; /* this node's, since it started; wrap */
    uint32_t p50_us, p99_us, usual_us;    /* this node's, of the last minute; 0 = not known */
    bool lossy;                           /* more is lost than chance explains */
    uint8_t loss_of;                      /* lossy: enum loss_of */
    uint64_t lossy_from;                  /* the vantages that lose them, as bits of struct plan's
                                             vantages; 0: all of them do */
    uint32_t loss_ppm;                    /* lossy: of all since it began */
    usec_t lossy_since;
};

enum {
    SLOW_HOURS = 24,
    SLOW_DAYS = 7,
    SLOW_VERSION = 1,
    SLOW_TARGETS_MAX = 1 << 20,
    SLOW_FILE_MAX = 512 << 20,
};

/* What is kept of a target over a restart: for each hour of the last seven days the median of its
 * minutes' 99th percentile, as a bucket of base/sketch.h; 0 = not known. Days count since 1970. */
struct slow_history {
    uint64_t identity; /* target_identity() */
    uint16_t usual[SLOW_HOURS][SLOW_DAYS];
};

/* "HFUSUAL" and a NUL | version u32 | targets u32 | of each: identity u64, 168 buckets u16 | XXH3
 * of all before u64; all big-endian. free(). */
uint8_t *slow_encode(const struct slow_history *list, uint32_t count, size_t *ret_size)
    __attribute__((returns_nonnull));
/* *ret_list: free(). ERR_TRUNCATED, ERR_MAGIC, ERR_VERSION, ERR_BOUNDS, ERR_CHECKSUM,
 * ERR_INVALID. */
must_check int slow_decode(const uint8_t *data, size_t size, struct slow_history **ret_list,
                           uint32_t *ret_count);
