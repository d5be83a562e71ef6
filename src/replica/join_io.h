/* The side of a node that joins: it has a token and no certificate yet. Blocks; bounded in time. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "base/time.h"
#include "replica/invite.h"

enum {
    JOIN_NONCE_SIZE = 33, /* 32 letters, and the NUL */
    JOIN_LISTENS_MAX = 16,
};
#define JOIN_CONNECT (5 * USEC_PER_SEC)
#define JOIN_WAIT    (40 * USEC_PER_SEC)

struct join_call {
    const struct invite *invite;
    unsigned address; /* of the invitation's */
    const char *request;
    /* Whoever connects to these meanwhile is told the nonce: so the cluster sees whether this node
     * can be reached at its address. */
    int listens[JOIN_LISTENS_MAX];
    unsigned listen_count;
    char nonce[JOIN_NONCE_SIZE];
};

/* Connects to a node of the cluster, makes sure by the token that it is one, and hands the request
 * in with the proof. 0 and its answer (free()), else a sentence is added to `why`. */
must_check int join_call(const struct join_call *call, char **ret_answer, struct text *why);
