/* The certificate that the dns role shows over TLS. Its key is for root alone where the operator
 * keeps it, so the supervisor reads both files, and again when they change; what passes the check
 * goes to DATA/run/tls, for the roles' user alone. A bad one changes nothing (L1, L3). */
#pragma once

#include "base/time.h"
#include "model/config.h"
#include "model/stats.h"
#include "seam/disk.h"
#include <openssl/types.h>

enum { IDENTITY_LOOK_US = 500000 };

struct identity {
    const char *certificate, *key; /* NULL: TLS is not wanted */
    const char *data, *user;       /* user: who the roles are; NULL: who this is */
    struct disk_identity taken[2], seen[2];
    usec_t look_at;
};

/* Views the configuration, which outlives it. */
struct identity identity_init(const struct config *c, const char *user);
/* Looks at the files where it is time to, or where somebody says so. Counts in `stats`. Returns
 * when to look again; USEC_NEVER: TLS is not wanted. */
usec_t identity_look(struct identity *i, usec_t now, bool told, struct stats_thread *stats);

/* What is shown with these two files, SSL_CTX_free; else `why` says which of them is bad, and how.
 */
must_check int identity_context(const char *certificate, const char *key, struct text *why,
                                SSL_CTX **ret);

/* For `holdfast check`: 0, or ERR_INVALID and a line in `problems`. Files that this user may not
 * read are not looked into. */
must_check int identity_check(const struct config *c, struct text *problems);
