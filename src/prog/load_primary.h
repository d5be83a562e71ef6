/* Zones whose content the node keeps itself (model/zone_held.h): from that to a compiled zone. */
#pragma once

#include "model/config.h"
#include "model/zone_compile_io.h"
#include "model/zone_held.h"

/* Compiles these records. path: for messages. As zone_compile_sealed. */
must_check int primary_compile(const struct held_content *content, const char *path,
                               const uint8_t *const *steered, unsigned steered_count,
                               const struct zone_seal *seal, struct text *problems,
                               uint8_t **ret_data, size_t *ret_size);

/* A zone without content that nobody is to be answered from. */
must_check int zone_dark_compile(const struct config_zone *zone, const uint8_t *const *steered,
                                 unsigned steered_count, struct text *problems, uint8_t **ret_data,
                                 size_t *ret_size);
/* Compiles what is held of a zone. Where nothing is, or nothing that can be read, a zone without
 * content that nobody is to be answered from: *ret_dark. watch: is told of the files. */
must_check int primary_zone_compile(const char *data, const struct config_zone *zone,
                                    const uint8_t *const *steered, unsigned steered_count,
                                    const struct zone_seal *seal, const struct zone_watch *watch,
                                    struct text *problems, uint8_t **ret_data, size_t *ret_size,
                                    bool *ret_dark);
