/* The file's grammar as tables: a key has a name, a type, a range, a place where its value is put
 * and a line of help. One table drives reading, every message about structure, the JSON Schema and
 * the manual. */
#pragma once

#include "base/attr.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/config.h"
#include "model/config_problem.h"
#include "model/config_tree.h"
#include <stddef.h>

enum { SHAPE_KEYS_MAX = 32 };

struct reading {
    struct arena *keep;    /* what the config will hold */
    struct arena *scratch; /* trees and drafts */
    struct problems *problems;
    const char *folder; /* of the file, "" or with a slash at its end */
    const struct tree *root;
};

struct key;

struct type {
    const char *wanted; /* completes "it wants ..." */
    /* Puts the value of `node` into `slot`, or adds a problem and gives false. */
    bool (*read)(struct reading *r, const struct tree *node, const struct key *key, void *slot);
    /* Appends the members of a JSON Schema object. */
    void (*schema)(const struct key *key, struct text *out);
};

struct key {
    const char *name;
    const struct type *type;
    size_t offset;
    bool required;
    int64_t min, max; /* of numbers (durations in us) and of list lengths; max 0: the type's own */
    const void *detail;   /* what the type needs: a shape, choices, an element */
    const char *standard; /* the default, as it would be written; NULL: none, or worked out */
    const char *help;     /* one line */
};

/* A mapping with known keys. */
struct shape {
    const char *name; /* of the schema's definition */
    const char *what; /* completes "in this ..." */
    const struct key *keys;
    size_t key_count;
    const char *rule; /* more members for the schema's object, or NULL */
    const char *help;
};

/* Every item of a list or a mapping of names that needs its place later starts with this. */
struct draft {
    const struct tree *node; /* its value */
    const struct tree *key;  /* its name in a mapping of names, else NULL */
    bool good;               /* all of it could be read */
};

struct list {
    void *items;
    uint32_t count;
};

/* detail of type_list: what it holds. */
struct list_of {
    struct key element; /* name as in messages: "listen" */
    size_t size;        /* of one item */
    bool headed;        /* items start with a struct draft */
    bool alone;         /* one value may stand without the brackets */
};

/* detail of type_names: a mapping whose keys are names. */
struct names_of {
    struct key element; /* of the values; its offset counts in the item, which starts with a struct
                           draft */
    size_t size;
    struct key label;        /* how to read the keys */
    const char *schema_name; /* pattern of the keys */
};

/* detail of type_choice; ends with a NULL name. */
struct choice {
    const char *name;
    int value;
};

extern const struct type type_text, type_label, type_path, type_name, type_integer, type_bool,
    type_true, type_duration, type_choice, type_percent, type_capacity, type_list, type_names,
    type_mapping;
extern const struct type type_api_url;
extern const struct type type_ip, type_addresses, type_prefix, type_listen, type_status,
    type_location, type_url, type_token, type_field_value, type_ttl, type_velocity, type_all_down,
    type_dnssec, type_secret, type_peer, type_primary, type_pin, type_pattern, type_rrtype,
    type_cookie_secret, type_nsid, type_server;

/* Reads a mapping by its table: unknown, missing and wrong keys are reported; defaults are filled
 * in. False where anything is wrong. */
bool shape_read(struct reading *r, const struct tree *node, const struct shape *shape, void *slot);

/* "<name> cannot be <what stands there>; it wants <wanted>"; gives false. */
bool reading_refuse(struct reading *r, const struct tree *node, const struct key *key,
                    const char *wanted);
/* The text of a scalar that is text (quoted, or not looking like a number, bool or null) without
 * control characters and 1..max bytes long; NULL after a problem. */
const char *reading_text(struct reading *r, const struct tree *node, const struct key *key,
                         const char *wanted, size_t max);
/* The text of any scalar without control characters, for values that have a grammar of their own.
 */
const char *reading_scalar(struct reading *r, const struct tree *node, const struct key *key,
                           const char *wanted);
bool reading_duration(struct reading *r, const struct tree *node, const struct key *key,
                      int64_t min, int64_t max, usec_t *ret);

/* "type": "string" with a pattern, written as it stands inside a JSON string. */
void schema_pattern(struct text *out, const char *pattern);
