/* DNS UPDATE into a zone whose records nodes share (doc/shared.md). Pure: from the message and the
 * intent to an answer, and to the one request that makes it so on every node:
 *
 *   records of the intent --as a zone--> update_run() --> touched sets, whole --> a request
 *
 * The request names the change of the zone that it was worked out from. Where the zone was changed
 * meanwhile it is refused whole (ERR_CONFLICT), and the message is looked at anew. */
#pragma once

#include "command/update.h"
#include "model/intent.h"

/* As update_run(), of whose request `content`, `served` and `policy` are not read. ret->changed:
 * then *ret_line is what the intent is asked for with this token (command/command.h; free()). */
void update_shared_run(const struct intent *intent, const struct update_request *r,
                       const char *token, struct update_result *ret, char **ret_line);
