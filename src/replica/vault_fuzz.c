/* A folder of any files: it is refused with the file's name, or taken, and then goes on: an entry
 * that is appended is found again behind the same ones as before. The bytes are a list of files;
 * records, votes and snapshots in them get their checksums here, so that the fuzzer gets past
 * those.
 */
#include "base/hash.h"
#include "base/invariant.h"
#include "replica/disk_rig.h"
#include "replica/record.h"
#include "replica/vault.h"
#include "replica/word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT_MAX = 400, FILE_MAX = 4096, WHY_MAX = 300, VOTE_SUMMED = 32, SNAPSHOT_FROM = 16 };

static void sum_put(struct text *file, size_t at, size_t from, size_t to)
{
    if (file->length < to || file->length < at + sizeof(uint64_t))
        return;
    struct writer w = writer_init((uint8_t *)file->data + at, sizeof(uint64_t));
    word_put(&w, hash64(file->data + from, to - from));
}

/* One record a few bytes: type, kind, batch, index, term, size; its payload. */
static void segment_fill(struct reader *r, uint64_t segment, struct text *file)
{
    for (unsigned count = reader_u8(r) % 16; count && !r->failed; count--) {
        uint8_t type = reader_u8(r);
        struct record record = {.type = type % 8, .kind = type >> 4};
        record.batch = reader_u16(r);
        record.index = reader_u8(r);
        record.term = reader_u8(r);
        record.size = reader_u8(r);
        record.data = reader_take(r, record.size);
        if (record.data)
            record_put(&record, segment, file);
    }
}

static void bytes_fill(struct reader *r, struct text *file)
{
    size_t length = reader_u8(r);
    const uint8_t *bytes = reader_take(r, length);
    if (bytes && length)
        text_append_bytes(file, bytes, length);
}

static void file_make(struct rig_disk *disk, struct reader *r)
{
    char name[40];
    struct text file = text_init(FILE_MAX);
    uint8_t what = reader_u8(r), number = reader_u8(r) % 8;
    if (what % 4 == 0) {
        segment_fill(r, number, &file);
        snprintf(name, sizeof name, "log-%016x", number);
    } else if (what % 4 == 1) {
        bytes_fill(r, &file);
        sum_put(&file, VOTE_SUMMED, 0, VOTE_SUMMED);
        snprintf(name, sizeof name, "vote-%u", number % 2);
    } else {
        bytes_fill(r, &file);
        if (what % 4 == 2)
            sum_put(&file, SNAPSHOT_FROM - sizeof(uint64_t), SNAPSHOT_FROM, file.length);
        snprintf(name, sizeof name, "%s-%016x", what & 4 ? "log" : "snapshot", number);
    }
    if (what & 8)
        bytes_fill(r, &file); /* what was left of a write */
    (void)rig_replace(disk, name, file.data, file.length);
    text_done(&file);
}

static int load(const struct replica_disk *port, struct vault *vault, struct vault_loaded *loaded)
{
    struct text why = text_init(WHY_MAX);
    *loaded = (struct vault_loaded){0};
    vault_init(vault, port, SEGMENT_MAX);
    int err = vault_load(vault, loaded, &why);
    invariant(!err || why.length);
    text_done(&why);
    return err;
}

static void go_on(const struct replica_disk *port, struct vault *vault, struct vault_loaded *loaded)
{
    static char said[] = "more";
    struct raft_entry more = {
        .term = vault->term + 1, .type = RAFT_COMMAND, .buf = {said, sizeof said}};
    struct vault_run run = {loaded->first + loaded->entry_count, &more, 1};
    struct vault_loaded again;
    if (!loaded->snapshot && !loaded->entry_count)
        return; /* it never heard of a cluster */
    int err = vault_append(vault, &run, 1);
    invariant(err == 0);
    vault_done(vault);
    err = load(port, vault, &again);
    invariant(err == 0);
    invariant(again.first <= run.first);
    invariant(again.first + again.entry_count == run.first + 1);
    const struct raft_entry *last = &again.entries[again.entry_count - 1];
    invariant(last->buf.len == sizeof said && !memcmp(last->buf.base, said, sizeof said));
    vault_loaded_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rig_disk disk;
    struct reader r = reader_init(data, size);
    struct replica_disk port = rig_port(&disk);
    struct vault vault;
    struct vault_loaded loaded;
    for (unsigned i = 0; i < 8 && reader_left(&r); i++)
        file_make(&disk, &r);
    if (!load(&port, &vault, &loaded)) {
        go_on(&port, &vault, &loaded);
        vault_loaded_free(&loaded);
    }
    vault_done(&vault);
    rig_wipe(&disk);
    return 0;
}
