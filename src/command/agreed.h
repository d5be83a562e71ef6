/* The intent as the nodes of a cluster agree on it: what the machine behind their log
 * (replica/replica.h) does with the intent that a node holds. Pure; the same calls give the same
 * bytes on every node. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include "model/intent.h"

/* Carries a request of the log out, as command_apply(): the intent that follows takes the place of
 * *held, and the outcome is kept with it for the request's token. An error changes nothing else. */
must_check int agreed_apply(struct intent *held, struct bytes request, int64_t wall_ms,
                            struct text *sentence);

/* Everything as bytes (free()), and back in the place of *held; as intent_decode(). */
must_check char *agreed_encode(const struct intent *held, size_t *ret_size)
    __attribute__((returns_nonnull));
must_check int agreed_decode(struct intent *held, struct bytes data, const char **ret_why);
