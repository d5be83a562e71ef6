/* This node's own key, for what is wrapped for it: DATA/seal.key, 64 hexadecimal digits, mode 0600.
 */
#pragma once

#include "base/text.h"
#include "model/seal.h"

/* -ENOENT: there is none; ERR_REFUSED: others may read it; ERR_SYNTAX: it is none. `why` gets a
 * sentence. */
must_check int seal_key_load(const char *data, uint8_t ret[static SEAL_KEY_SIZE], struct text *why);
/* A new one; the file is replaced. */
must_check int seal_key_make(const char *data, uint8_t ret[static SEAL_KEY_SIZE]);

/* A secret for all; random bytes for a wrap. */
void seal_draw(uint8_t ret[static SEAL_KEY_SIZE]);
/* The secret, by the value of the intent's object `seal` (NULL: there is none). ERR_MISSING: none
 * of it is wrapped for this node; else as seal_key_load(). `why` gets a sentence. */
must_check int seal_secret(const char *data, const char *value, uint8_t ret[static SEAL_KEY_SIZE],
                           struct text *why);
