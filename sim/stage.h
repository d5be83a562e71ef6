/* A stage for stories: one node's control loop in virtual time, endpoints that are well or ill as
 * the story says, and a prober that watches them. Deterministic: the same calls give the same
 * trace. */
#pragma once

#include "base/random.h"
#include "base/text.h"
#include "decide/decide.h"
#include "model/target.h"

enum { STAGE_BEAT_MS = 100, STAGE_TRACE_MAX = 1 << 20 };

enum prober {
    PROBER_OK,
    PROBER_LATE,    /* overloaded: its results come with the mark that they are late */
    PROBER_STOPPED, /* no results at all */
    PROBER_BLIND,   /* this node's own network is gone: everything looks dead */
};

/* How an address fares; kept by address, so that it outlives reloads. */
struct condition {
    struct ip ip;
    uint8_t reason;   /* what a failing probe sees */
    unsigned percent; /* of probes that fail */
    uint32_t connect_us;
};

struct probe {
    usec_t due; /* when the next one starts */
    bool running;
    struct sample sample; /* its result, delivered when `ended` has come */
};

struct stage {
    struct text trace;
    struct random random;
    usec_t time; /* of the story */
    usec_t now;  /* monotonic: starts anew with each boot */
    char *yaml;  /* the configuration as it stands */
    struct config *config;
    struct intent intent;
    struct decide_files files;
    struct plan_file *plan_files;
    const char **file_names;
    struct target *targets;
    struct arena target_arena;
    uint32_t target_count, epoch;
    struct probe *probes;
    struct condition *conditions;
    size_t condition_count, condition_capacity;
    struct sample *samples;
    size_t sample_count, sample_capacity;
    enum prober prober;
    struct decider *decider;
    struct plan plan;   /* the newest */
    uint8_t *published; /* the newest that was published, as a file */
    size_t published_size;
    uint8_t *resumed; /* the file that a restarted control went on from */
    uint64_t boot_id;
    char **answers; /* by service and family, as last traced */
    uint32_t answer_count;
};

void stage_init(struct stage *s, uint64_t seed);
void stage_done(struct stage *s);
/* A line of the trace: "  12.3  what    ...". */
void stage_say(struct stage *s, const char *what, const char *format, ...) printf_like(3, 4);
/* Takes a configuration into use; the old one is freed. -1 and a line of the trace when it is
 * refused. */
must_check int stage_configure(struct stage *s, const char *yaml);
/* Sets how the endpoints meant by `whom` fare: "all", "region:NAME", "service/endpoint" or
 * "endpoint". -1 when there is none. */
must_check int stage_fare(struct stage *s, const char *whom, enum reason reason, unsigned percent);
must_check int stage_order(struct stage *s, const char *endpoint, enum admin_state state);
/* The control process dies and starts again from what was published; `boot`: with its machine. */
void stage_restart(struct stage *s, bool boot);
/* Time goes on to the next beat: probes end and begin, then a step. */
void stage_beat(struct stage *s);
