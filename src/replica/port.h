/* What a replica needs of the world, as calls: the process gives it the real one, the simulation
 * its own. Everything else of a replica computes. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Files of one folder, by name. The calls block; those about the log come from one worker at a
 * time, those about votes (other files) from the loop meanwhile. Each is on the disk when it
 * returns 0, or gives a negative error. */
struct replica_disk {
    void *context;
    /* The whole file with a NUL behind it, free(); -ENOENT; -EFBIG above `max` bytes. */
    int (*read)(void *context, const char *name, size_t max, char **ret_data, size_t *ret_size);
    /* The file ends with these bytes, put behind its first `offset` ones. */
    int (*append)(void *context, const char *name, size_t offset, const void *data, size_t size);
    /* The whole file, the old one or the new one even when the machine stops. */
    int (*replace)(void *context, const char *name, const void *data, size_t size);
    int (*remove)(void *context, const char *name);
    /* Calls each(each_context) with every name, stops at a result that is not 0. */
    int (*list)(void *context, int (*each)(void *context, const char *name), void *each_context);
};

/* Something that blocks: run() in a worker, then done() on the loop. */
struct replica_work {
    void *context;
    void (*run)(struct replica_work *work);
    void (*done)(struct replica_work *work);
};

enum replica_channel { REPLICA_RAFT, REPLICA_REQUESTS };

struct replica_port {
    void *context;
    int64_t (*now_ms)(void *context);  /* monotonic */
    int64_t (*wall_ms)(void *context); /* since 1970 */
    uint64_t (*random)(void *context);
    void (*work)(void *context, struct replica_work *work);
    /* Copies the bytes. 0, or an error: there is no link, or too much waits. */
    int (*send)(void *context, uint64_t node, enum replica_channel channel, const void *data,
                size_t size);
    /* Is there a link to this node? */
    bool (*linked)(void *context, uint64_t node);
    struct replica_disk disk;
};
