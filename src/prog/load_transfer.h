/* What transfers need of a loaded configuration: the file of keys and rules, and earlier versions
 * of zones. */
#pragma once

#include "prog/load.h"

enum { HISTORY_KEEP = 8 /* versions of a zone that IXFR can begin from */ };

/* Reads the secrets, and puts keys and rules into the store and the list of files. Problems get a
 * line each. */
must_check int access_load(struct loaded *l, const struct load_request *r, struct text *problems);
/* Adds the versions of transferred zones that `r->served` still reaches, the newest last, so that
 * they stay in the store; at most HISTORY_KEEP of a zone. */
void history_load(struct loaded *l, const struct load_request *r);
