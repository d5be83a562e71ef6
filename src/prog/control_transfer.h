/* The control role's part in zone transfers: secondaries are told of changes once those are
 * published. */
#pragma once

#include "wire/tsig.h"

struct access;
struct config;
struct control;

/* A publication begins: its serials are noted. */
void control_transfer_begin(struct control *c);
/* The keys' secrets, as the name server has them: access_free(); NULL where there are none. */
must_check struct access *control_transfer_keys(const struct control *c);
/* One of the configuration's keys among them; NULL: it is not there. */
const struct tsig_key *control_transfer_key(const struct config *config, int key,
                                            const struct access *keys);
/* It ended well. */
void control_transfer_published(struct control *c);
