/* What an operator says, and what it does to the intent. Pure: a request, the intent and the time
 * in; a reply, a new intent or the wish for a reload out.
 *
 * A request and a reply are each one line of JSON. Requests:
 *
 *   {"op": "ping"}
 *   {"op": "intent"}
 *   {"op": "change", "edits": [{"kind": "control", "name": "checkout/use1", "value": {...}}],
 * "overrides": ["checkout/keep-one"], "reason": "...", "token": "...", "force": false}
 *   {"op": "undo", "change": 7, "reason": "..."}
 *   {"op": "order", "endpoint": "use1", "state": "drained", "reason": "kernel update", "force":
 * false}
 *   {"op": "reload", "accept_shrink": ["example.com"], "zones": ["example.com"], "fresh": false}
 *   {"op": "zones", "zone": "example.com"}
 *   {"op": "dnssec", "zone": "example.com", "do": "roll", "key": "zsk"}
 *
 * "endpoint" may be "api.example.com/use1"; "state" is auto, drained, disabled or forced-up;
 * "do" is status, roll, ds-seen, ds-gone or unsign, and "key" (of roll) csk, ksk or zsk. Replies:
 *
 *   {"ok": true, "message": "api.example.com/use1 is drained; it was auto"}
 *   {"ok": false, "error": "ERR_MISSING", "message": "..."} */
#pragma once

#include "base/attr.h"
#include "model/dnssec_state.h"
#include "model/intent.h"

enum {
    COMMAND_REQUEST_MAX = 64 << 10, /* bytes of a line */
    COMMAND_REPLY_MAX = 4 << 20,
    COMMAND_SHRINKS_MAX = 1000, /* zones named in one reload */
};

enum command_effect {
    COMMAND_NOTHING, /* send the reply */
    COMMAND_ORDER,  /* save `next` and take it into use, then send the reply; where that fails, send
                       another */
    COMMAND_RELOAD, /* load the configuration file again; what to reply is known after it */
    COMMAND_ZONES,  /* how zones that come from elsewhere are doing: `zone`, or all of them */
    COMMAND_DNSSEC, /* about the keys of `zone`; what to reply is known after it */
};

struct command_input {
    const char *line; /* without its newline */
    size_t length;
    const char *author;          /* "uid 1000 (ana)" */
    const struct intent *intent; /* with its config */
    int64_t wall_ms;             /* since 1970 */
};

struct command_result {
    enum command_effect effect;
    char *reply;          /* JSON without a newline; COMMAND_NOTHING and COMMAND_ORDER alone */
    struct intent next;   /* COMMAND_ORDER */
    char **accept_shrink; /* COMMAND_RELOAD: zones (lower case, no trailing dot) that may shrink */
    unsigned accept_shrink_count;
    char *zone; /* COMMAND_DNSSEC, COMMAND_ZONES (there NULL = all): one of the configuration's,
                   lower case, no trailing dot */
    enum dnssec_order dnssec;
    enum key_use key;
    char **zones; /* COMMAND_RELOAD: only these are made anew; none = those that changed */
    unsigned zone_count;
    bool fresh; /* COMMAND_RELOAD: every zone is made anew */
};

/* Never fails: whatever does not make sense becomes a reply that says so. Free with
 * command_result_done, after setting to NULL or zero what was taken over. */
void command_run(const struct command_input *input, struct command_result *ret);
void command_result_done(struct command_result *result);

/* The reply for an outcome: err 0 or negative. JSON without a newline, free(). */
must_check char *command_reply_make(int err, const char *message) __attribute__((returns_nonnull));
