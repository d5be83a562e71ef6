#include "replica/vault.h"

#include "base/err.h"
#include "replica/disk_rig.h"
#include "test/check_main.h"

enum { ANY_SIZE = 1 << 20, SMALL = 300, WHY_MAX = 300, LOG_MAX = 64 };

/* The segment that a founded log begins with: it is put aside once already. */
#define FIRST "log-0000000000000002"

static struct rig_disk disk;
static struct replica_disk port;
static struct vault vault;
static struct vault_loaded loaded;
static struct text why;

static void begin(size_t segment_max)
{
    port = rig_port(&disk);
    vault_init(&vault, &port, segment_max);
}

/* As after a start, from a disk as it is now. */
static int load(struct rig_disk *from, size_t segment_max)
{
    static struct replica_disk other;
    vault_loaded_free(&loaded);
    vault_done(&vault);
    text_done(&why);
    why = text_init(WHY_MAX);
    other = rig_port(from);
    vault_init(&vault, &other, segment_max);
    return vault_load(&vault, &loaded, &why);
}

static void end(void)
{
    vault_loaded_free(&loaded);
    vault_done(&vault);
    text_done(&why);
    rig_wipe(&disk);
}

/* One write of entries, each of which says its index and term. */
static int put(raft_index first, unsigned count, raft_term term)
{
    struct raft_entry entries[LOG_MAX] = {{0}};
    char said[LOG_MAX][40];
    for (unsigned i = 0; i < count; i++) {
        int length = snprintf(said[i], sizeof said[i], "entry %llu of %llu", first + i, term);
        entries[i].term = term;
        entries[i].type = RAFT_COMMAND;
        entries[i].buf = (struct raft_buffer){said[i], (size_t)length};
    }
    return vault_append(&vault, &(struct vault_run){first, entries, count}, 1);
}

static void holds(raft_index index, raft_term term)
{
    char said[40];
    size_t length = (size_t)snprintf(said, sizeof said, "entry %llu of %llu", index, term);
    ck_assert_uint_ge(index, loaded.first);
    ck_assert_uint_lt(index - loaded.first, loaded.entry_count);
    const struct raft_entry *e = &loaded.entries[index - loaded.first];
    ck_assert_uint_eq(e->term, term);
    ck_assert_uint_eq(e->buf.len, length);
    ck_assert_mem_eq(e->buf.base, said, length);
}

static int snapshot(raft_index index, raft_term term, const char *content, unsigned trailing)
{
    struct vault_snapshot s = {.index = index,
                               .term = term,
                               .configuration_index = 1,
                               .data = {(void *)(uintptr_t)content, strlen(content)}};
    raft_configuration_init(&s.configuration);
    ck_assert_int_eq(raft_configuration_add(&s.configuration, 1, "1", RAFT_VOTER), 0);
    int err = vault_snapshot_put(&vault, &s, trailing);
    raft_configuration_close(&s.configuration);
    return err;
}

static void restores(raft_index index, const char *content)
{
    ck_assert_ptr_nonnull(loaded.snapshot);
    ck_assert_uint_eq(loaded.snapshot->index, index);
    ck_assert_uint_eq(loaded.snapshot->bufs[0].len, strlen(content));
    ck_assert_mem_eq(loaded.snapshot->bufs[0].base, content, strlen(content));
}

/* A first node, as replica_found() makes it. */
static void found(size_t segment_max)
{
    begin(segment_max);
    ck_assert_int_eq(vault_vote(&vault, 1, 0), 0);
    ck_assert_int_eq(snapshot(1, 1, "beginning", 0), 0);
}

START_TEST(test_found_again)
{
    found(ANY_SIZE);
    ck_assert_int_eq(put(2, 3, 1), 0);
    ck_assert_int_eq(put(5, 2, 2), 0);
    ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
    restores(1, "beginning");
    ck_assert_uint_eq(loaded.entry_count, 5);
    ck_assert(!loaded.cut);
    for (raft_index i = 2; i <= 6; i++)
        holds(i, i < 5 ? 1 : 2);
    ck_assert_uint_eq(vault.last, 6);
    end();
}
END_TEST

/* Another leader's entries take the place of those that were never agreed, and of all behind. */
START_TEST(test_replaced)
{
    found(SMALL); /* in other segments, too */
    ck_assert_int_eq(put(2, 6, 1), 0);
    ck_assert_int_eq(put(4, 1, 3), 0);
    ck_assert_int_eq(load(&disk, SMALL), 0);
    ck_assert_uint_eq(loaded.entry_count, 3);
    holds(3, 1);
    holds(4, 3);
    ck_assert_int_eq(put(5, 1, 3), 0); /* and it goes on after a start */
    ck_assert_int_eq(load(&disk, SMALL), 0);
    ck_assert_uint_eq(loaded.entry_count, 4);
    holds(5, 3);
    end();
}
END_TEST

/* Invariant 2: the machine stops within the last write, wherever: what was there before is there,
 * whole entries of the write may be, and the log goes on. */
START_TEST(test_torn)
{
    static struct rig_disk torn;
    found(ANY_SIZE);
    ck_assert_int_eq(put(2, 2, 1), 0);
    size_t whole = vault.end;
    ck_assert_int_eq(put(4, 2, 1), 0);
    size_t size = vault.end;
    for (size_t left = whole; left < size; left++) {
        rig_copy(&disk, &torn);
        rig_find(&torn, FIRST)->size = left;
        ck_assert_int_eq(load(&torn, ANY_SIZE), 0);
        ck_assert_uint_ge(loaded.entry_count, 2);
        ck_assert_uint_lt(loaded.entry_count, 4);
        ck_assert_int_eq(put(loaded.first + loaded.entry_count, 1, 9), 0);
        ck_assert_int_eq(load(&torn, ANY_SIZE), 0);
        ck_assert(!loaded.cut);
        holds(2, 1);
        holds(3, 1);
        holds(loaded.first + loaded.entry_count - 1, 9);
    }
    rig_wipe(&torn);
    end();
}
END_TEST

/* Invariant 2: what had been on the disk and is damaged is no torn write: this node would vote
 * again with less than it has confirmed. */
START_TEST(test_damaged)
{
    static struct rig_disk rotten;
    found(ANY_SIZE);
    ck_assert_int_eq(put(2, 2, 1), 0);
    size_t second = vault.end;
    ck_assert_int_eq(put(4, 1, 1), 0);
    size_t places[] = {0, second / 2, second + 4};
    for (unsigned sealed = 0; sealed < 2; sealed++) {
        for (unsigned i = 0; i < 3; i++) {
            rig_copy(&disk, &rotten);
            rig_find(&rotten, FIRST)->data[places[i]] ^= 0x10;
            bool maybe_torn = places[i] > second && !sealed;
            int err = load(&rotten, ANY_SIZE);
            ck_assert_int_eq(err < 0, !maybe_torn);
            if (err)
                ck_assert_ptr_nonnull(strstr(text_string(&why), FIRST " is damaged"));
            else
                ck_assert(loaded.cut && loaded.entry_count == 2);
        }
        ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
        ck_assert_int_eq(vault_seal(&vault), 0);
    }
    rig_wipe(&rotten);
    end();
}
END_TEST

START_TEST(test_segments)
{
    found(SMALL);
    for (raft_index i = 2; i < 30; i++)
        ck_assert_int_eq(put(i, 1, 1), 0);
    ck_assert_uint_gt(vault.segment_count, 4);
    ck_assert_int_eq(load(&disk, SMALL), 0);
    ck_assert_uint_eq(loaded.entry_count, 28);
    ck_assert_int_eq(rig_remove(&disk, "log-0000000000000003"), 0);
    ck_assert_int_eq(load(&disk, SMALL), ERR_MISSING);
    ck_assert_str_eq(text_string(&why),
                     "the part of the log before log-0000000000000004 is missing");
    end();
}
END_TEST

/* A snapshot takes the place of segments; the one before it and the log from there stay, for when
 * the newer one is damaged. */
START_TEST(test_snapshots)
{
    found(SMALL);
    for (raft_index i = 2; i <= 40; i++) {
        ck_assert_int_eq(put(i, 1, 1), 0);
        if (i % 15 == 0)
            ck_assert_int_eq(snapshot(i, 1, i == 15 ? "fifteen" : "thirty", 2), 0);
    }
    ck_assert_ptr_null(rig_find(&disk, FIRST));
    ck_assert_ptr_null(rig_find(&disk, "snapshot-0000000000000001"));
    ck_assert_int_eq(load(&disk, SMALL), 0);
    restores(30, "thirty");
    holds(31, 1);
    holds(40, 1);
    struct rig_file *newest = rig_find(&disk, "snapshot-000000000000001e");
    newest->data[newest->size - 1] ^= 1;
    ck_assert_int_eq(load(&disk, SMALL), 0);
    restores(15, "fifteen");
    for (raft_index i = 16; i <= 40; i++)
        holds(i, 1);
    rig_find(&disk, "snapshot-000000000000000f")->size--;
    ck_assert_int_lt(load(&disk, SMALL), 0);
    ck_assert_str_eq(text_string(&why), "no snapshot can be read");
    end();
}
END_TEST

/* A leader's snapshot that goes on elsewhere than this node's log: nothing of that log counts. */
START_TEST(test_reset)
{
    found(ANY_SIZE);
    ck_assert_int_eq(put(2, 9, 1), 0);
    ck_assert_int_eq(snapshot(50, 4, "fifty", 0), 0);
    ck_assert_int_eq(put(51, 1, 4), 0);
    ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
    restores(50, "fifty");
    ck_assert_uint_eq(loaded.first, 51);
    ck_assert_uint_eq(loaded.entry_count, 1);
    holds(51, 4);
    end();
}
END_TEST

START_TEST(test_votes)
{
    static struct rig_disk rotten;
    found(ANY_SIZE);
    ck_assert_int_eq(vault_vote(&vault, 7, 3), 0);
    rig_copy(&disk, &rotten); /* the second vote ever: nothing before tells that it is missing */
    rig_find(&rotten, "vote-0")->data[17] ^= 1;
    ck_assert_int_lt(load(&rotten, ANY_SIZE), 0);
    ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
    ck_assert_int_eq(vault_vote(&vault, 8, 2), 0);
    ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
    ck_assert_uint_eq(vault.term, 8);
    ck_assert_uint_eq(vault.vote, 2);
    ck_assert_int_eq(vault_vote(&vault, 9, 0), 0); /* in the place of the older one */
    ck_assert_int_eq(load(&disk, ANY_SIZE), 0);
    ck_assert_uint_eq(vault.term, 9);
    for (unsigned i = 0; i < 2; i++) {
        const char *name = i ? "vote-1" : "vote-0";
        for (unsigned how = 0; how < 3; how++) {
            rig_copy(&disk, &rotten);
            if (how == 0)
                (void)rig_remove(&rotten, name);
            else if (how == 1)
                rig_find(&rotten, name)->data[17] ^= 1;
            else
                rig_find(&rotten, name)->size--;
            ck_assert_int_lt(load(&rotten, ANY_SIZE), 0);
            ck_assert_ptr_nonnull(strstr(text_string(&why), name));
        }
    }
    rig_wipe(&rotten);
    end();
}
END_TEST

/* Invariant 1: what has no room was not promised, and nothing before it suffers. */
START_TEST(test_full)
{
    found(SMALL);
    for (raft_index i = 2; i < 8; i++)
        ck_assert_int_eq(put(i, 1, 1), 0);
    disk.full = true;
    ck_assert_int_eq(put(8, 1, 1), -ENOSPC);
    ck_assert_int_eq(vault_vote(&vault, 5, 2), -ENOSPC);
    ck_assert_uint_eq(vault.term, 1);
    ck_assert_int_eq(snapshot(7, 1, "seven", 2), -ENOSPC);
    disk.full = false;
    ck_assert_int_eq(load(&disk, SMALL), 0);
    restores(1, "beginning");
    ck_assert_uint_eq(loaded.entry_count, 6);
    ck_assert_uint_eq(vault.term, 1);
    end();
}
END_TEST

CHECK_MAIN("vault", test_found_again, test_replaced, test_torn, test_damaged, test_segments,
           test_snapshots, test_reset, test_votes, test_full)
