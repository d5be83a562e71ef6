/* Term and vote, in two files written in turn. Both are replaced as a whole, so that one that is
 * not whole is damaged; and since it may have been the newer one, nobody knows any more what this
 * node has promised: it must not vote. */
#include "replica/vault_parts.h"

#include "base/err.h"
#include "base/hash.h"
#include "replica/word.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* magic u32 | 0 u32 | number u64 | term u64 | vote u64 | checksum u64 */
enum { MAGIC = 0x48465654 /* "HFVT" */, SUMMED = 32, SIZE = 40 };

struct vote {
    uint64_t number, term, vote;
};

static int vote_read(const struct replica_disk *disk, unsigned which, struct vote *ret)
{
    char name[VAULT_NAME_MAX], *data;
    size_t size;
    snprintf(name, sizeof name, "vote-%u", which);
    int err = disk->read(disk->context, name, SIZE, &data, &size);
    if (err)
        return err;
    struct reader r = reader_init(data, size);
    bool magic = reader_u32(&r) == MAGIC;
    (void)reader_u32(&r);
    struct vote v = {.number = word_take(&r)};
    v.term = word_take(&r);
    v.vote = word_take(&r);
    uint64_t sum = word_take(&r);
    bool whole =
        !r.failed && size == SIZE && magic && sum == hash64(data, SUMMED) && v.number % 2 == which;
    free(data);
    if (!whole)
        return ERR_CHECKSUM;
    *ret = v;
    return 0;
}

int vault_vote_load(struct vault *s, struct text *why)
{
    struct vote votes[2] = {{0}, {0}};
    for (unsigned i = 0; i < 2; i++) {
        int err = vote_read(s->disk, i, &votes[i]);
        if (err && err != -ENOENT) {
            text_appendf(why, "vote-%u is damaged", i);
            return err;
        }
    }
    struct vote newest = votes[0].number > votes[1].number ? votes[0] : votes[1];
    const struct vote *other = newest.number == votes[0].number ? &votes[1] : &votes[0];
    if (newest.number > 1 && other->number + 1 != newest.number) {
        text_appendf(why, "vote-%u is missing", (unsigned)((newest.number + 1) % 2));
        return ERR_MISSING;
    }
    s->vote_sequence = newest.number;
    s->term = newest.term;
    s->vote = newest.vote;
    return 0;
}

int vault_vote(struct vault *s, uint64_t term, uint64_t vote)
{
    uint8_t bytes[SIZE];
    char name[VAULT_NAME_MAX];
    struct writer w = writer_init(bytes, sizeof bytes);
    uint64_t number = s->vote_sequence + 1;
    writer_u32(&w, MAGIC);
    writer_u32(&w, 0);
    word_put(&w, number);
    word_put(&w, term);
    word_put(&w, vote);
    word_put(&w, hash64(bytes, SUMMED));
    snprintf(name, sizeof name, "vote-%u", (unsigned)(number % 2));
    int err = s->disk->replace(s->disk->context, name, bytes, sizeof bytes);
    if (err)
        return err;
    s->vote_sequence = number;
    s->term = term;
    s->vote = vote;
    return 0;
}
