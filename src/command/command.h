/* What an operator says, and what it does to the intent. Pure: a request, the intent and the time
 * in; a reply, a proposal or the wish for a reload out.
 *
 * What changes the intent is done in two steps, since several nodes may have to agree on it:
 *
 *   request --command_run()--> proposal --command_apply()--> a new intent and a sentence
 *
 * The first knows the configuration of the node that was asked: short names are made full, and what
 * would leave a service without an endpoint is refused (L3). The second knows only the intent and
 * the time it is given, so that it gives the same on every node (model/intent.h).
 *
 * A request and a reply are each one line of JSON. Requests:
 *
 *   {"op": "ping"}
 *   {"op": "intent", "agreed": false}
 *   {"op": "change", "edits": [{"kind": "control", "name": "checkout/use1", "value": {...},
 * "create": false, "from": "old name"}], "overrides": ["checkout/keep-one"],
 * "expects": [{"kind": "zone", "name": "example.com", "change": 17}], "reason": "...", "token":
 * "...", "force": false}
 *   {"op": "switch", "states": {"checkout/use1": "Off"}, "overrides": [], "force": false}
 *   {"op": "user", "user": "ana", "do": "key-add", "key": {"id": "HFAK...", "secret": "..."}}
 *   {"op": "incident", "incident": "use1-errors", "do": "update", "status": "identified",
 * "message": "...", "components": ["region:us-east-1"], "force": false}
 *   {"op": "undo", "change": 7, "reason": "...", "token": "...", "force": false}
 *   {"op": "order", "endpoint": "use1", "state": "drained", "reason": "kernel update", "token":
 * "...", "force": false}
 *   {"op": "reload", "accept_shrink": ["example.com"], "zones": ["example.com"], "fresh": false}
 *   {"op": "zones", "zone": "example.com"}
 *   {"op": "import", "zone": "example.com", "format": 1, "accept_shrink": false, "dry_run": false}
 *   {"op": "node", "do": "invite", "role": "voter", "for_ms": 3600000, "name": "tokyo-1", "force":
 * false}
 *   {"op": "dnssec", "zone": "example.com", "do": "roll", "key": "zsk"}
 *
 * "endpoint" may be "api.example.com/use1"; "state" is auto, drained, disabled or forced-up;
 * "do" of a node is list, invite, expel, promote, demote, renew (its own certificate) or authority;
 * the body of an import is a list of records (model/zone_held.h, of version HELD_VERSION);
 * "do" is status, roll, ds-seen, ds-gone or unsign, and "key" (of roll) csk, ksk or zsk. Replies:
 *
 *   {"ok": true, "message": "api.example.com/use1 is drained; it was auto"}
 *   {"ok": false, "error": "ERR_MISSING", "message": "..."} */
#pragma once

#include "base/attr.h"
#include "model/dnssec_state.h"
#include "model/intent.h"

enum {
    COMMAND_REQUEST_MAX = 1 << 20, /* bytes of a line */
    COMMAND_REPLY_MAX = 4 << 20,
    COMMAND_SHRINKS_MAX = 1000,                     /* zones named in one reload */
    COMMAND_PROPOSAL_MAX = 2 * COMMAND_REQUEST_MAX, /* bytes; full names and the author are added */
    COMMAND_SENTENCE_MAX = 16384,                   /* bytes of what command_apply() says */
};

enum command_effect {
    COMMAND_NOTHING, /* send the reply */
    COMMAND_INTENT,  /* `proposal` goes through command_apply(); its outcome is the reply */
    COMMAND_AGREE, /* ask again with `agreed`, once this node has all that was decided before now */
    COMMAND_RELOAD, /* load the configuration file again; what to reply is known after it */
    COMMAND_ZONES,  /* how zones that come from elsewhere are doing: `zone`, or all of them */
    COMMAND_IMPORT, /* the body is to be the content of `zone`; what to reply is known after it */
    COMMAND_DNSSEC, /* about the keys of `zone`; what to reply is known after it */
    COMMAND_NODE,   /* about the nodes of the cluster: `node` */
};

enum command_node_do {
    COMMAND_NODE_LIST,
    COMMAND_NODE_INVITE,
    COMMAND_NODE_EXPEL,
    COMMAND_NODE_PROMOTE,
    COMMAND_NODE_DEMOTE,
    COMMAND_NODE_RENEW,
    COMMAND_NODE_AUTHORITY,
};
enum { COMMAND_NODE_DOS = 7 };

struct command_node {
    enum command_node_do what;
    char name[64]; /* expel, promote, demote */
    bool learner;  /* invite */
    int64_t for_ms;
    bool force;
};

struct command_input {
    const char *line; /* without its newline */
    size_t length;
    const char *author;          /* "uid 1000 (ana)" */
    const char *token;           /* of a proposal whose request has none; NULL: none */
    const struct intent *intent; /* with its config */
    int64_t wall_ms;             /* since 1970 */
    bool agreed;                 /* this node has all that was decided before the request */
};

struct command_result {
    enum command_effect effect;
    char *reply;          /* JSON without a newline; COMMAND_NOTHING alone */
    int err;              /* COMMAND_NOTHING: what the reply says, */
    char *message;        /* where it is nothing but an error or a sentence; else NULL */
    struct intent shares; /* COMMAND_INTENT: what would follow, where nodes would share something
                             else than now; else of version 0 */
    bool alone;           /* COMMAND_INTENT: on this node alone, since it is cut off */
    char *proposal;       /* COMMAND_INTENT: JSON, at most COMMAND_PROPOSAL_MAX bytes */
    char **accept_shrink; /* COMMAND_RELOAD: zones (lower case, no trailing dot) that may shrink */
    unsigned accept_shrink_count;
    char *zone; /* COMMAND_DNSSEC, COMMAND_IMPORT, COMMAND_ZONES (there NULL = all): one of the
                   configuration's, lower case, no trailing dot */
    bool may_shrink, dry_run; /* COMMAND_IMPORT */
    enum dnssec_order dnssec;
    enum key_use key;
    char **zones; /* COMMAND_RELOAD: only these are made anew; none = those that changed */
    unsigned zone_count;
    bool fresh;               /* COMMAND_RELOAD: every zone is made anew */
    struct command_node node; /* COMMAND_NODE */
};

/* Does this request change the intent, if anything? Then its operation is order, change, switch,
 * incident, undo or user. */
bool command_is_change(const char *line, size_t length);

/* Never fails: whatever does not make sense becomes a reply that says so. Free with
 * command_result_done, after setting to NULL or zero what was taken over. */
void command_run(const struct command_input *input, struct command_result *ret);
void command_result_done(struct command_result *result);

/* Carries a proposal out: 0 and *ret, the intent that follows (with the version of `old` where
 * nothing was to be changed, or where the same token was carried out before: then the sentence is
 * the one of that time), else as intent_apply(). `sentence` says to a person what was done, or why
 * not. Same arguments, same outcome, on every node; the configuration is only passed on. Any bytes
 * are borne: ERR_SYNTAX, ERR_INVALID. */
must_check int command_apply(const struct intent *old, const char *proposal, size_t length,
                             int64_t wall_ms, struct intent *ret, struct text *sentence);

/* For the owner of the intent, once what command_apply() says is told: where it changed nothing and
 * the proposal has a token, that outcome is kept, so that it stays the one of this token. `intent`
 * is what followed. */
void command_tell(struct intent *intent, uint64_t version_before, const char *proposal,
                  size_t length, int64_t wall_ms, int err, const char *sentence);

/* The reply for an outcome: err 0 or negative. JSON without a newline, free(). */
must_check char *command_reply_make(int err, const char *message) __attribute__((returns_nonnull));
