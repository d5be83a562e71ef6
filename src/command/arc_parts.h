/* What the operations of command/arc*.c share. */
#pragma once

#include "command/arc.h"
#include "model/user.h"
#include <jansson.h>

enum { ARC_ARN_MAX = 256, ARC_SEGMENTS_MAX = 4 };

/* One call and all that is known of it. */
struct arc_call {
    const struct arc_input *in;
    struct arc_result *out;
    enum arc_service service;
    const struct arc_operation *operation;
    const struct intent_object *user;
    const struct user_key *key;
    json_t *members; /* of the body, an object */
    char *arn;       /* in the path, decoded; or NULL */
    bool answered;   /* the reply is there */
};

/* An operation as data. */
struct arc_operation {
    const char *name;
    enum arc_service service;
    enum http1_method method; /* of the configuration API, and */
    const char *path;         /* "/controlpanel/@/routingcontrols": @ is an ARN */
    void (*run)(struct arc_call *c);
    /* the reply once the change was made; NULL: {} */
    json_t *(*reply)(const struct intent *intent, const char *name);
    const char *type; /* what it is about: "routingcontrol" */
    bool refers;      /* what is missing when the change is made is not what it asked for, but what
                         something still needs: a conflict */
};

extern const struct arc_operation arc_data_operations[], arc_config_operations[];
extern const size_t arc_data_count, arc_config_count;

/* ---- replies (arc.c) ---- */

/* A reply, steals the body. */
void arc_reply(struct arc_call *c, json_t *body);
/* An error of AWS's, without "Exception"; the first one stays. */
void arc_fail(struct arc_call *c, const char *error, const char *format, ...) printf_like(3, 4);
/* ValidationException about one member. */
void arc_invalid(struct arc_call *c, const char *field, const char *format, ...) printf_like(3, 4);
/* ServiceLimitExceededException, and ServiceQuotaExceededException of the configuration API. */
void arc_limit(struct arc_call *c, const char *format, ...) printf_like(2, 3);
/* ResourceNotFoundException. */
void arc_missing(struct arc_call *c, const char *type, const char *arn);
/* Hands a change to who makes changes: {"op": ...}, stolen; name: of the object that the reply is
 * about, or "". */
void arc_submit(struct arc_call *c, json_t *change, const char *name);
/* The same for edits, stolen, with the ClientToken of the request. */
void arc_submit_edits(struct arc_call *c, json_t *edits, const char *name);
json_t *arc_edit(const char *kind, const char *name, json_t *value); /* steals the value */

/* ---- members of a request (arc_read.c) ---- */

/* A text of 1 to max bytes without blanks; NULL, and a reply was made, where it is something else,
 * or is not there and is required. */
const char *arc_text(struct arc_call *c, const json_t *from, const char *key, size_t max,
                     bool required);
/* The same for a name that has to do as part of an object's name. */
const char *arc_name(struct arc_call *c, const json_t *from, const char *key);
/* MaxResults and NextToken, of the body or the query: false, and a reply was made. The token is the
 * full name of the last object of the page before, or "". */
struct arc_page {
    unsigned max;
    char after[INTENT_NAME_MAX];
    const char *last; /* that is on the page; views the intent */
};
bool arc_page_read(struct arc_call *c, struct arc_page *ret);
/* For the objects of a list in their order: is this one on the page? Sets NextToken in `body` where
 * the page ends before it. */
bool arc_page_takes(struct arc_page *page, const struct intent_object *o, json_t *list,
                    json_t *body);
/* The parameter of the query, decoded, free(); NULL: none. *at: where to go on, 0 to begin. */
char *arc_parameter(const struct arc_call *c, const char *name, size_t *at);

/* ---- names (arc_arn.c) ---- */

/* The ARN of the cluster (NULL), or of a panel, a control, a rule. */
const char *arc_arn(const struct intent *intent, const struct intent_object *o,
                    char buffer[static ARC_ARN_MAX]);
/* The object of this kind with this ARN; NULL: none. */
const struct intent_object *arc_find(const struct intent *intent, enum intent_kind kind,
                                     const char *arn);
/* The same, for any kind. */
const struct intent_object *arc_find_any(const struct intent *intent, const char *arn);
bool arc_is_cluster(const char *arn);
/* Is there a cluster? It begins with CreateCluster, or with the first panel. */
bool arc_has_cluster(const struct intent *intent);
const struct intent_object *arc_panel_of(const struct intent *intent,
                                         const struct intent_object *o);
/* "us-east-1" of "checkout/us-east-1". */
const char *arc_short(const struct intent_object *o);
/* Is it of this panel? */
bool arc_is_in(const struct intent_object *o, const struct intent_object *panel);

/* ---- who may (arc_auth.c) ---- */

/* Who signed it: false, and a reply was made. */
bool arc_authenticate(struct arc_call *c);
/* Is the user permitted the call's operation on this ARN ("*": none in particular)? False, and a
 * reply was made. o: the object, or NULL. */
bool arc_permits(struct arc_call *c, const char *arn, const struct intent_object *o);
/* The same for another action of the same service. */
bool arc_permits_action(struct arc_call *c, const char *action, const char *arn,
                        const struct intent_object *o);

/* ---- objects as the configuration API shows them ---- */

json_t *arc_rule_json(const struct intent *intent, const struct intent_object *rule);
void arc_rule_create(struct arc_call *c);
void arc_rule_update(struct arc_call *c);
json_t *arc_rule_reply(const struct intent *intent, const char *name);
void arc_tags_list(struct arc_call *c);
void arc_tags_set(struct arc_call *c);
void arc_tags_remove(struct arc_call *c);
/* The request's Tags into a value that is to be: false, and a reply was made. */
bool arc_tags_take(struct arc_call *c, json_t *value);
