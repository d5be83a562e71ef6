/* TSIG keys as tsig-keygen(8), keymgr -t and others write them. */
#pragma once

#include "wire/tsig.h"

/* The first key of a file: key "NAME" { algorithm hmac-sha256; secret "BASE64"; }; 0, ERR_SYNTAX,
 * -errno. Wipe it. */
must_check int key_file_read(const char *path, struct tsig_key *ret);
