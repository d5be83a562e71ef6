/* RFC 1035 master files: text to records. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

enum { ZONEFILE_PROBLEMS_MAX = 100, ZONEFILE_INCLUDE_DEPTH_MAX = 10 };

/* Called for each record of class IN; rdata uncompressed, canonical. A sentence (static) refuses
 * the record, NULL takes it. */
typedef const char *zonefile_record(void *context, const uint8_t *owner, uint16_t type,
                                    uint16_t class, uint32_t ttl, const uint8_t *rdata,
                                    uint16_t rdata_length, uint32_t line);
/* $INCLUDE: gives the text of a file (until the parser returns), or an error. NULL: $INCLUDE is
 * refused. */
typedef int zonefile_include(void *context, const char *path, const char **ret_data,
                             size_t *ret_length);

/* Called when records start to come from another file: at the start, at $INCLUDE and behind it. May
 * be NULL; the path stays until the parser returns. */
typedef void zonefile_file(void *context, const char *path);

struct zonefile {
    const char *path;      /* for messages */
    const uint8_t *origin; /* initial $ORIGIN, lower wire form */
    zonefile_record *record;
    zonefile_include *include;
    zonefile_file *file;
    void *context;
};

/* Parses a whole file; goes on after a problem to find the others. Problems are appended as
 * "path:line:column: sentence\n", up to ZONEFILE_PROBLEMS_MAX. 0, or ERR_SYNTAX with at least one
 * problem. */
must_check int zonefile_parse(const struct zonefile *z, const char *data, size_t length,
                              struct text *problems);
