/* Catalog zones: a list of zones as records (RFC 9432), as a consumer reads it; and the members
 * that were taken over from one, as they are kept on disk. Pure. */
#pragma once

#include "base/memory.h"
#include "base/text.h"
#include "model/zone_held.h"

enum { CATALOG_MEMBERS_MAX = 100000, CATALOG_GROUPS_MAX = 4, CATALOG_FILE_MAX = 64 << 20 };

struct catalog_member {
    const char *name;  /* as the configuration writes zones: lower case, no trailing dot */
    const char *label; /* its unique label (4.1), presentation form */
    const char *coo;   /* the catalog that may take it over (4.4.1), or NULL */
    /* Its group properties (4.3.2): like labels, lower case. More, and those that no label could
     * be, are left out. */
    const char *groups[CATALOG_GROUPS_MAX];
    unsigned group_count;
};

/* All zero: empty. */
struct catalog {
    struct arena arena;
    struct catalog_member *members; /* in the order of their names */
    uint32_t count;
};

void catalog_done(struct catalog *c);
/* By its name, or NULL. */
const struct catalog_member *catalog_find(const struct catalog *c, const char *name);

/* What a catalog zone lists. ERR_INVALID: it is broken and must not be processed (5.1), and
 * *ret_reason says why (static). */
must_check int catalog_read(const struct held_content *content, struct catalog *ret,
                            const char **ret_reason);

/* The members as text, a line each with name, label and groups, and back. ERR_SYNTAX, ERR_LIMIT. */
void catalog_format(const struct catalog_member *members, uint32_t count, struct text *out);
must_check int catalog_parse(const char *text, size_t length, struct catalog *ret);
