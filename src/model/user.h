/* Who may call the API of a node: access keys and permissions, as AWS's IAM has them. The value of
 * an object of the intent (model/intent.h):
 *
 *   {"keys": [{"id": "HFAK...", "secret": "...", "status": "Active", "made_ms": 1767225600000}],
 *    "statements": [{"Effect": "Allow", "Action": ["route53-recovery-cluster:*"],
 *                    "Resource": ["checkout/us-east-1"]}]}
 *
 * A status is Active or Inactive. Action and Resource are a text or a list of texts with the
 * wildcards * and ?. */
#pragma once

#include "base/attr.h"
#include "model/intent.h"
#include <jansson.h>

enum {
    USER_KEYS_MAX = 2, /* IAM's limit: an old and a new one */
    USER_KEY_ID_MIN = 16,
    USER_KEY_ID_MAX = 128,
    USER_SECRET_MIN = 16,
    USER_SECRET_MAX = 128,
    USER_STATEMENTS_MAX = 32,
    USER_PATTERNS_MAX = 32, /* actions, or resources, of a statement */
    USER_PATTERN_MAX = 512, /* bytes */
};

struct user_key {
    char *id, *secret;
    bool active;
    int64_t made_ms; /* since 1970 */
};

struct user_statement {
    bool deny; /* else it allows */
    struct intent_names actions, resources;
};

struct user {
    struct user_key keys[USER_KEYS_MAX];
    unsigned key_count;
    struct user_statement statements[USER_STATEMENTS_MAX];
    unsigned statement_count;
};

/* NULL, and *ret_why is a sentence's end (static) that never quotes a secret. */
struct user *user_decode(const json_t *value, const char **ret_why);
void user_free(struct user *u); /* NULL is fine; the secrets are wiped */

/* The user with an access key of this id, Active or not, and which one it is; NULL: nobody. */
const struct intent_object *user_find(const struct intent *intent, const char *id, size_t length,
                                      const struct user_key **ret_key);

/* Takes the secrets out of the value of a user, for those who only look. */
void user_value_hide(json_t *value);
