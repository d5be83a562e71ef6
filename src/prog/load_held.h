/* Zones whose records the node itself keeps (model/zone_held_io.h): what they are made from, and
 * how they begin. */
#pragma once

#include "model/zone_compile_io.h"
#include "model/zone_held_io.h"
#include "prog/load.h"
#include "prog/load_zone.h"

/* Is what the node keeps of this zone what it is to be made from? */
bool load_held_is(const struct load_request *r, const struct config_zone *z);

/* Compiles what is kept, sealed where `seal` is not NULL. A text that says something else by now is
 * told in `problems`, also on success; *ret_told then, or where it cannot be read. watch: gets
 * every file that this depends on. As zone_compile. */
must_check int load_held_compile(const struct load_request *r, const struct config_zone *z,
                                 const uint8_t *const *steered, unsigned steered_count,
                                 const struct zone_seal *seal, struct zone_alias_source *aliases,
                                 const struct zone_watch *watch, struct text *problems,
                                 uint8_t **ret_data, size_t *ret_size, bool *ret_told);
/* Gives the watch the files of what is kept: before the content is read, so that a change between
 * the two is seen. */
void load_held_watch(const char *data, const struct config_zone *z, const struct zone_watch *watch);
/* Is there a journal beside the base? Which files there are is no file. */
bool load_held_journal(const char *data, const struct config_zone *z);
/* Tells of content that is kept and no longer used, because the configuration lets nobody change
 * the zone any more. */
void load_held_unused(const struct load_request *r, const struct config_zone *z,
                      struct text *problems);

/* Compiles content that is not on the disk yet, not sealed, to see whether the zone of the order
 * can be served from it: 0, and the compiled zone (free()), or an error with at least one line in
 * `problems`. glue_later: delegations may lack glue, as of UPDATE; in a file that is a slip. */
must_check int load_held_check(const struct zone_order *o, const struct held_content *c,
                               bool glue_later, struct text *problems, uint8_t **ret_data,
                               size_t *ret_size);

/* The records of the zone's text, and the hash of that text and all it includes. watch: gets these
 * files as well; may be NULL. */
must_check int load_text_read(const struct config_zone *z, const struct zone_watch *watch,
                              struct text *problems, struct held_list *ret, uint64_t *ret_source);

/* The names of this zone that are answered from the plan, in wire form. */
const uint8_t **load_steered_names(struct arena *a, const struct config *c, uint32_t zone,
                                   unsigned *ret_count);
