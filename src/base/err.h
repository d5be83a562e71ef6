/* Errors are `int`: 0 or a negative number. -1..-4095 are negated errno values; below -4095 come
 * our own, listed once here with the sentence that a person reads. */
#pragma once

#include "base/attr.h"

#define ERR_LIST(X)                                                             \
    X(ERR_SYNTAX, "the text does not follow the grammar")                       \
    X(ERR_TRUNCATED, "the data ends before it should")                          \
    X(ERR_MAGIC, "the file is not of this kind")                                \
    X(ERR_VERSION, "the file is of a version that this program does not read")  \
    X(ERR_CHECKSUM, "the checksum does not match: the file is torn or damaged") \
    X(ERR_BOUNDS, "an offset or a count points outside the file")               \
    X(ERR_OLDER, "the generation is older than the one that is served")         \
    X(ERR_EMPTY_ANSWER, "a name would be left without an answer")               \
    X(ERR_MISSING, "something that is referred to does not exist")              \
    X(ERR_LIMIT, "a stated limit is reached")                                   \
    X(ERR_REFUSED, "refused, for the reason that is told beside it")            \
    X(ERR_AMBIGUOUS, "the name fits more than one thing")                       \
    X(ERR_INVALID, "the value is not allowed here")                             \
    X(ERR_CONFLICT, "another change came first")                                \
    X(ERR_LOOP, "the references form a loop")                                   \
    X(ERR_QUORUM, "too few nodes can be reached to decide")                     \
    X(ERR_UNSURE, "it is not known whether it was done")

enum { ERR_BASE = -4096 };

enum err_index {
#define X(name, text) name##_INDEX,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

enum {
#define X(name, text) name = ERR_BASE - (int)name##_INDEX,
    ERR_LIST(X)
#undef X
};

/* The sentence for an error (0 gives "no error"); never NULL, static storage. */
const_function const char *err_text(int err);

/* The symbolic name ("ERR_CHECKSUM", "ENOSPC"); never NULL, static storage. */
const_function const char *err_name(int err);
/* One of our own by its symbolic name; 0 where there is none. */
pure_function int err_of_name(const char *name);
