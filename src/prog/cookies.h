/* The secrets of DNS cookies on their way to the dns role: DATA/run/cookies (serve/dns's
 * cookie_keep_io.h). They come from the configuration, from a file that the nodes of one address
 * share, or are made here and replaced as they age. Nothing of it wants a restart but another
 * configuration. */
#pragma once

#include "base/text.h"
#include "base/time.h"
#include "model/config.h"
#include "seam/disk.h"
#include "serve/dns/cookie.h"

enum { COOKIES_LOOK_US = 1000000 };

struct cookies {
    const struct config_answers *answers; /* NULL: none are given */
    const char *data, *user;              /* user: who the roles are; NULL: who this is */
    struct disk_identity taken, seen;     /* of the file */
    bool begun;
    usec_t look_at;
};

/* Views the configuration, which outlives it. */
struct cookies cookies_init(const struct config *c, const char *user);
/* Looks where it is time to, or where somebody says so. wall: seconds since 1970. Returns when to
 * look again; USEC_NEVER: nothing can change. */
usec_t cookies_look(struct cookies *k, usec_t now, int64_t wall, bool told);

/* For `holdfast check`: 0, or ERR_INVALID and a line in `problems`. A file that this user may not
 * read is not looked into. */
must_check int cookies_check(const struct config *c, struct text *problems);
