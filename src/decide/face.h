/* One face: the answers of a service for one address family. */
#pragma once

#include "decide/step.h"

/* How far a member may serve; policies take the first tier that has anybody. */
enum tier {
    TIER_SERVING, /* healthy, or kept although it is not (L3, L4) */
    TIER_OPEN,    /* would serve if it were healthy */
    TIER_DRAINED, /* serves only where nobody else may */
    TIER_NEVER,   /* disabled */
};

/* An endpoint that has an address of the family, or stands for a service that has. */
struct member {
    uint32_t endpoint;   /* index in the plan */
    uint32_t target;     /* index in the plan; PLAN_NONE: stands for a service */
    uint32_t choice;     /* that leads to it alone; PLAN_NONE: not made yet */
    uint32_t connect_us; /* damped; 0 = unknown */
    uint32_t region;     /* number, or PLAN_NONE */
    uint16_t weight;
    uint8_t role;    /* enum role */
    uint8_t tier;    /* enum tier */
    uint8_t verdict; /* enum verdict_state */
    bool automatic;  /* checks decide about it: neither forced up nor drained nor disabled */
    bool healthy;
    bool was_served; /* in some answer until now */
    bool away;       /* while a locality is split off: it does not reach it (locality.h) */
    bool held;       /* down, but the velocity limit keeps it (L4) */
    usec_t since;    /* when its verdict became what it is */
    uint64_t capacity;
};

struct face {
    struct step *step;
    const struct config_service *config;
    uint32_t service;
    uint8_t family;
    uint8_t policy;
    struct member *members;
    uint32_t count;
    bool held;         /* the velocity limit holds somebody back */
    usec_t window_end; /* when the limit allows the next removal; USEC_NEVER: not limited */
};

/* Decides the face of one service and family; the faces of the services that it stands for are
 * decided already. Writes the plan's face, its choices and the step's fact. */
void face_decide(struct step *step, uint32_t service, unsigned family);
