/* Stories: a scenario in, a trace out.
 *
 *   # a comment
 *   seed 7
 *   config                 the configuration, up to a line "---"
 *     node: ...
 *   ---
 *   10s fail region:us-east-1 connect-timeout
 *   20s heal region:us-east-1
 *   30s end
 *
 * What may happen at a time:
 *   fail WHOM REASON | flap WHOM PERCENT REASON | heal WHOM
 *   drain | disable | force | auto SERVICE/ENDPOINT
 *   prober ok | late | stopped | blind
 *   reload OLD => NEW      the configuration again, with a text replaced
 *   restart | boot         of control | of its machine
 *   end
 *
 * WHOM is "all", "region:NAME", "service/endpoint" or "endpoint". */
#pragma once

#include "base/text.h"

/* Plays a story; the trace goes to `out`. ERR_SYNTAX with the line and the sentence as the last
 * line of the trace. */
must_check int story_play(const char *story, struct text *out);
