/* The two APIs of AWS Route 53 Application Recovery Controller, as its clients (boto3, the aws
 * command line, Terraform) know them: the data plane route53-recovery-cluster (JSON 1.0) and the
 * configuration API route53-recovery-control-config (REST, JSON). Pure: a request and the intent
 * in; a reply out, or a change that has to be made first.
 *
 *   request --arc_run()--> reply
 *                     \--> change --the one door--> outcome --arc_finish()--> reply
 *
 * Every request is signed (wire/sigv4.h) by a user of the intent (model/user.h), who has to be
 * permitted what it asks for. Panels, controls and rules are the objects that `holdfast control`
 * and `holdfast rule` know; their ARNs are made of ids that they keep as long as they are there. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include "model/intent.h"
#include "wire/http1.h"

enum {
    ARC_BODY_MAX = 64 << 10, /* bytes of a request's body */
    ARC_BATCH_MAX = 10,      /* controls of one update (ARC's quota) */
    ARC_MUTATIONS_PER_S = 3, /* changes on one node, of each API (ARC's quota of the data plane) */
    ARC_CONFIG_BURST =
        30,              /* changes at once, of the configuration API: a panel is made in one go */
    ARC_PANELS_MAX = 50, /* of the cluster (ARC's quotas, too, down to here) */
    ARC_CONTROLS_MAX = 300, /* of the cluster */
    ARC_PANEL_CONTROLS_MAX = 100,
    ARC_PANEL_RULES_MAX = 20,
    ARC_PAGE_MAX = 1000, /* objects of one page */
    ARC_REQUEST_ID_SIZE = 36,
    ARC_EXTRA_MAX = 256,
    ARC_AUTHOR_MAX = 128,
};

enum arc_service { ARC_DATA, ARC_CONFIG };
enum { ARC_SERVICES = 2 };

/* How many changes there were lately: of one node, zero to begin with. */
struct arc_meter {
    usec_t credit, seen; /* credit: a second's worth of changes is ARC_MUTATIONS_PER_S */
};

struct arc_input {
    const struct http1_request *request;
    struct bytes body;
    const struct intent *intent; /* with its config */
    int64_t wall_ms;             /* since 1970 */
    usec_t now;
    const char *request_id;   /* ARC_REQUEST_ID_SIZE characters, unique */
    bool secure;              /* came over TLS */
    struct arc_meter *meters; /* ARC_SERVICES */
};

struct arc_operation;

/* What became of a request, for those who count. */
enum arc_outcome {
    ARC_DONE,
    ARC_REFUSED,  /* it made no sense, or something stood in the way */
    ARC_UNSIGNED, /* nobody knows who asked */
    ARC_DENIED,   /* the user may not do that */
    ARC_THROTTLED,
    ARC_FAILED, /* it is our fault */
};
enum { ARC_OUTCOMES = 6 };

struct arc_result {
    /* the change that has to be made first; NULL: there is a reply */
    char *change; /* as command/command.h has it */
    char author[ARC_AUTHOR_MAX];
    const struct arc_operation *operation;
    char *name; /* of the object that it is about, when it is made */
    char request_id[ARC_REQUEST_ID_SIZE + 1];
    /* the reply */
    enum arc_outcome outcome;
    unsigned status;
    const char *content_type;
    char extra[ARC_EXTRA_MAX]; /* header lines */
    char *body;
};

/* Never fails: whatever does not make sense gets a reply that says so. Free with arc_result_done.
 */
void arc_run(const struct arc_input *in, struct arc_result *ret);
/* The change was made (err 0), or was not, and `message` says why: fills the reply. intent: what
 * holds now. */
void arc_finish(struct arc_result *r, const struct intent *intent, int err, const char *message);
void arc_result_done(struct arc_result *r);
