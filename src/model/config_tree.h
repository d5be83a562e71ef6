/* The YAML of a configuration file as a tree whose every node knows its place.
 *
 * YAML 1.2 core meaning: "yes", "off" and "NO" are text. Anchors, aliases and merge keys (<<) work,
 * within a bound on what they expand to. Tags and second documents are refused. */
#pragma once

#include "base/attr.h"
#include "base/memory.h"
#include "model/config.h"
#include "model/config_problem.h"
#include <stddef.h>

enum {
    TREE_DEPTH_MAX = 32,
    TREE_NODES_MAX = 8 << 20, /* with every alias counted as often as it is used */
};

enum tree_kind { TREE_SCALAR, TREE_MAPPING, TREE_LIST };

struct tree_pair;
struct tree {
    struct config_place place;
    uint8_t kind; /* enum tree_kind */
    bool quoted;  /* TREE_SCALAR: text whatever it looks like */
    bool open;    /* not finished yet: an alias to it would be a loop */
    uint32_t count;
    uint32_t weight; /* nodes below and itself, aliases expanded */
    union {
        const char *text; /* TREE_SCALAR: `count` bytes, NUL-terminated, may hold NULs */
        const struct tree_pair *pairs;
        const struct tree **items;
    };
};

struct tree_pair {
    const struct tree *key; /* a scalar; unique in its mapping */
    const struct tree *value;
};

/* What a scalar is by its looks. */
enum scalar_kind { SCALAR_TEXT, SCALAR_NULL, SCALAR_BOOL, SCALAR_INTEGER, SCALAR_DECIMAL };
pure_function enum scalar_kind tree_scalar_kind(const struct tree *node);

/* The value under a key, or NULL. */
pure_function const struct tree *tree_get(const struct tree *mapping, const char *key);

/* The whole text as a tree in `arena`, its places in this part (0: the file); 0, or ERR_SYNTAX with
 * at least one problem where the text is not YAML, has no value at all, or breaks a limit. Smaller
 * faults (a key twice) are added to `problems`, and the tree is given without them. */
must_check int tree_parse(const char *data, size_t length, uint32_t part, struct arena *arena,
                          struct problems *problems, const struct tree **ret);

/* A default of the tables, in YAML; its places are all nowhere (line 0). */
const struct tree *tree_parse_default(const char *text, struct arena *arena);
