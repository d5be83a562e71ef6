/* The files that a plan names, opened: those of what is served now are taken over, and where a zone
 * may go without its own (served_build_lacking()), it is as it was, or dark. */
#pragma once

#include "serve/dns/served.h"
#include <stdio.h>

/* A mapped file and its view; shared by every `served` whose plan names it. Only the owner thread
 * counts references. */
struct served_file {
    uint64_t hash;
    unsigned references;
    uint8_t kind;
    struct served_bytes bytes;
    const struct served_source *source;
    struct zone zone;
    struct netmap netmap;
    struct access *access;
    struct zone_header *dark; /* the origin of a zone that is not answered, and nothing else */
};

/* Fills files, maps, access, zone_count and lacking of `s`, whose plan is set; on failure some of
 * them, for served_free(). lacking: zones may lack their files. Returns 0, or an error with
 * ret_where set. */
must_check int served_files_get(struct served *s, const struct served_source *source,
                                const struct served *previous, bool lacking,
                                char ret_where[static SERVED_WHERE_MAX]);
/* Why a file was not to be had, or is not what it should be. */
const char *served_file_why(int err);
/* NULL will do. */
void served_file_release(struct served_file *f);

/* Says what is wrong with `name`; returns err. */
static inline int served_wrong(char ret_where[static SERVED_WHERE_MAX], int err, const char *what,
                               const char *name)
{
    snprintf(ret_where, SERVED_WHERE_MAX, "%s: %s", name, what);
    return err;
}
