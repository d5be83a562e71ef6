/* Master files from the disk. */
#pragma once

#include "base/text.h"
#include "model/zone.h"
#include "seam/disk.h"
#include "wire/zonefile.h"
#include <stddef.h>
#include <stdint.h>

enum { ZONE_FILE_MAX = 1 << 30 }; /* bytes of one master file */

/* zone_compile() of a file; $INCLUDE paths that are not absolute start in its folder. Not being
 * able to read it is a problem too: then the error is a negated errno value. */
must_check int zone_compile_file(const char *origin_text, const char *path,
                                 const uint8_t *const *steered_names, unsigned steered_count,
                                 struct text *problems, uint8_t **ret_data, size_t *ret_size);

/* Gives each record of a master file, and of what it includes, to `record` (wire/zonefile.h).
 * Errors and problems as zone_compile_file. */
struct zone_watch;
must_check int zone_file_parse(const char *origin_text, const char *path, zonefile_record *record,
                               void *context, const struct zone_watch *watch,
                               struct text *problems);

/* Who wants to know what a zone was made from. */
struct zone_watch {
    /* A file was read; `identity` and the wall clock `read_ns` are of the moment before that. */
    void (*read)(void *context, const char *path, const struct disk_identity *identity,
                 int64_t read_ns, const char *data, size_t length);
    void *context;
};
/* The same, with the zone signed on the way (model/zone_sign.h) and ALIAS records that lead to the
 * rest of the node; all three may be NULL. -EAGAIN: `aliases` said ALIAS_LATER. */
must_check int zone_compile_file_watched(const char *origin_text, const char *path,
                                         const uint8_t *const *steered_names,
                                         unsigned steered_count, const struct zone_seal *seal,
                                         struct zone_alias_source *aliases,
                                         const struct zone_watch *watch, struct text *problems,
                                         uint8_t **ret_data, size_t *ret_size);
