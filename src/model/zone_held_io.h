/* Held zones in DATA/zones/ZONE/ (mode 0700, files 0600): `base`, the whole content; `journal`, the
 * changes since; `note`, a few bytes of its owner's. Formats: zone_held_file.h.
 *
 * What a function here confirmed is on the disk: it survives kill -9 and a loss of power. One
 * writer at a time for each zone, readers at any time, is the caller's to see to.
 *
 * Generations: a new base is renamed into its place with a generation above the old one's; a
 * journal of an older generation is then history and is removed, one of a newer generation means
 * that the base is from a backup, and the zone is refused. */
#pragma once

#include "base/text.h"
#include "model/zone_held.h"

enum { HELD_NOTE_MAX = 4096, HELD_COMPACT_MIN = 64 << 10 };

/* `zone` everywhere: its name as in the configuration. `problems`: gets a sentence with the file's
 * path for each error but -ENOENT. */

/* Is anything held of this zone? Also yes where that cannot be seen: reading it then says why. */
bool zone_held_exists(const char *data, const char *zone);

/* Makes this list the zone's whole content, whatever was held before, damaged or not. source: hash
 * of the text that it comes from, 0 = none. Errors as held_content_new, -errno; then what was held
 * before still is. */
must_check int zone_held_replace(const char *data, const char *zone,
                                 const struct held_list *records, uint64_t source,
                                 struct text *problems);

/* The content as it is on the disk now. For readers: nothing is repaired. -ENOENT: nothing is held;
 * damage: ERR_CHECKSUM and others. *ret_source may be NULL. */
must_check int zone_held_read(const char *data, const char *zone, struct text *problems,
                              struct held_content **ret, uint64_t *ret_source);

/* The same for the one who changes it. A torn tail of the journal is cut off, with a log line; its
 * bytes stay in `journal.torn`. */
struct zone_held;
must_check int zone_held_open(const char *data, const char *zone, struct text *problems,
                              struct zone_held **ret);
void zone_held_close(struct zone_held *h);
const struct held_content *zone_held_content(const struct zone_held *h);

/* Changes the content and keeps the change for the next commit. As held_change_apply; nothing is on
 * the disk yet. */
must_check int zone_held_append(struct zone_held *h, const struct held_change *change);
/* Puts everything appended on the disk: 0 once it is there. On failure the disk has what it had
 * before (as far as can be known), the content in memory is ahead of it, and the handle is only
 * good for closing. */
must_check int zone_held_commit(struct zone_held *h);
/* Writes the base anew where the journal has outgrown it; 0 where it has not. On failure the zone
 * is held as before. */
must_check int zone_held_compact(struct zone_held *h);

/* Forgets all that is held. 0 where nothing was. */
must_check int zone_held_remove(const char *data, const char *zone);

/* A few bytes beside the content, replaced as a whole. Reading gives the length; -ENOENT: there is
 * none; ERR_LIMIT: longer than HELD_NOTE_MAX, or than `size`. */
must_check int zone_held_note_write(const char *data, const char *zone, const void *note,
                                    size_t length);
must_check int zone_held_note_read(const char *data, const char *zone, void *ret_note, size_t size);
