/* The log, the vote and the snapshots of a node on disk.
 *
 *   vote-0 vote-1           term and vote, written in turn, each with its number
 *   log-<number>            segments of records (record.h), the oldest first
 *   snapshot-<index>        the two newest
 *
 * Invariants:
 *  1. A call that returns 0 has everything on the disk.
 *  2. What was once on the disk is found again, or vault_load() fails: only what is left of a write
 *     that never returned is cut away.
 *  3. vault_vote() is called from one thread; the others from one thread at a time. */
#pragma once

#include "base/text.h"
#include "replica/port.h"
#include <raft.h>
#include <stdbool.h>

enum {
    VAULT_SEGMENT_MAX = 8 << 20, /* bytes; a segment that has more is followed by another */
    VAULT_SNAPSHOT_MAX = 64 << 20,
    VAULT_SEGMENTS_MAX = 1000,
    VAULT_ADDRESS_MAX = 300,
    VAULT_SERVERS_MAX = 64,
};

struct vault_segment {
    uint64_t number;
    uint64_t highest; /* index of any entry in it */
};

struct vault {
    const struct replica_disk *disk;
    size_t segment_max;
    /* of the loop */
    uint64_t term, vote, vote_sequence;
    /* of whoever works */
    struct vault_segment *segments; /* the last one is written to */
    size_t segment_count, segment_capacity;
    size_t end;            /* bytes of the newest segment; 0: there is none */
    bool sealed;           /* nothing to seal */
    uint64_t last;         /* index of the newest entry */
    uint64_t snapshots[2]; /* indexes, the newest first; 0: none */
};

/* What a node had when it stopped. Owned by whoever asked; all memory is raft_malloc()'s. */
struct vault_loaded {
    struct raft_snapshot *snapshot; /* NULL: a node that never heard of a cluster */
    raft_index first;
    struct raft_entry *entries; /* NULL: none */
    size_t entry_count;
    bool cut; /* a write that was never finished was cut away */
};

struct vault_snapshot {
    raft_index index, configuration_index;
    raft_term term;
    struct raft_configuration configuration;
    struct raft_buffer data;
};

void vault_init(struct vault *s, const struct replica_disk *disk, size_t segment_max);
void vault_done(struct vault *s);

/* Everything from the disk. ERR_CHECKSUM, ERR_MISSING or a negated errno: `why` says which file,
 * and this node may not vote any more (invariant 2). */

must_check int vault_load(struct vault *s, struct vault_loaded *ret, struct text *why);
void vault_loaded_free(struct vault_loaded *l);

must_check int vault_vote(struct vault *s, uint64_t term, uint64_t vote);

/* Entries from index `first` on; the log may have such already, they are replaced. */
struct vault_run {
    raft_index first;
    const struct raft_entry *entries;
    unsigned count;
};
must_check int vault_append(struct vault *s, const struct vault_run *runs, unsigned count);
/* Nothing is being written for now: damage to the newest entry shall be told from a torn write. */
must_check int vault_seal(struct vault *s);
/* A snapshot, and then the log without what it replaces but for `trailing` entries; 0: without any
 * entry at all. */
must_check int vault_snapshot_put(struct vault *s, const struct vault_snapshot *snapshot,
                                  unsigned trailing);
/* The newest one; raft_malloc()'s. */
must_check int vault_snapshot_get(struct vault *s, struct raft_snapshot **ret);
void vault_snapshot_free(struct raft_snapshot *s);
