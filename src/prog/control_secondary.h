/* The control role's part in zones that come from other name servers: asks their primaries when it
 * is time, keeps what comes, and says when a zone is past its time. */
#pragma once

#include "base/ip.h"
#include "base/text.h"
#include "base/time.h"
#include "transfer/fetch_io.h"
#include <stdbool.h>
#include <stdint.h>

struct control;
struct config;

/* Another configuration is in use; what is known of zones that stay goes on. old: NULL = none. */
void control_secondary_take(struct control *c, const struct config *old);
/* On the beat. */
void control_secondary_beat(struct control *c, usec_t now);
/* Somebody says that a zone changed (RFC 1996): the RCODE to answer with. key: number of the one
 * that signed the message, or CONFIG_NONE. */
unsigned control_secondary_notified(struct control *c, uint32_t zone, const struct ip *from,
                                    int key, const uint8_t *wire, size_t length);
/* An operator says that these zones may shrink: they are asked for again. */
void control_secondary_accept(struct control *c, const char *const *zones, unsigned count);
/* He wants them asked for now. */
void control_secondary_ask(struct control *c, const char *const *zones, unsigned count);
/* Lines about each such zone, or about one; false: there is none. */
bool control_secondary_tell(const struct control *c, const char *zone, struct text *out);

struct config_primary;
/* Passes a message on to a primary as it is (transfer/fetch_io.h). */
void control_secondary_pass(const struct config_primary *p, const uint8_t *message, size_t length,
                            fetch_passed *done, void *context);
/* The primary that answered last, of a zone that has some. */
uint32_t control_secondary_primary(uint32_t zone);
