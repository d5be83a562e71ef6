/* What store*.c share. */
#pragma once

#include "replica/record.h"
#include "replica/vault.h"

enum { VAULT_NAME_MAX = 40 };

/* The name of a file; returns buffer. */
const char *vault_segment_name(uint64_t number, char buffer[static VAULT_NAME_MAX]);
const char *vault_snapshot_name(uint64_t index, char buffer[static VAULT_NAME_MAX]);
/* vault_snapshot.c: one snapshot's file, to a raft_snapshot of raft_malloc()'s memory. */
must_check int vault_snapshot_read(const struct replica_disk *disk, uint64_t index,
                                   struct raft_snapshot **ret);
/* vault_vote.c: from the disk. */
must_check int vault_vote_load(struct vault *s, struct text *why);
/* Begins a segment with records that are `size` bytes, the first one the head. */
must_check int vault_segment_begin(struct vault *s, enum record_type head, uint64_t index,
                                   uint64_t term, struct text *bytes);
void *vault_memory(size_t size) __attribute__((returns_nonnull));
