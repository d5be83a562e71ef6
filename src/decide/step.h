/* What the parts of one step share. */
#pragma once

#include "decide/carry.h"
#include "decide/event.h"
#include "decide/layout.h"
#include "decide/store.h"

/* What is known of a face once it is decided, for the services whose endpoints stand for it. */
struct face_fact {
    bool absent;         /* no endpoint has an address of this family */
    uint8_t verdict;     /* enum verdict_state of the service as a member of another */
    bool reached;        /* some parent answers with it */
    uint32_t open;       /* a choice that leads to addresses whatever the face's own mode is;
                            PLAN_NONE: nothing may answer */
    uint32_t connect_us; /* least damped connect time of those that answer; 0 = unknown */
    usec_t change_us;    /* until its answer could change at the earliest */
};

struct scratch;
struct quorum;

struct step {
    const struct decide_input *input;
    const struct layout *layout;
    const struct carry *carry;
    struct store *next;
    struct events *events;
    struct face_fact *facts; /* [service * IP_FAMILIES + family] */
    uint8_t *inside;         /* of each endpoint: bits 1 << family: in a choice of its face */
    struct scratch *scratch;
    struct quorum *quorum;
    usec_t now;
};
