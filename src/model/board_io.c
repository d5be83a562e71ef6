/* A seqlock over a mapped file, one writer, any number of readers in other processes.
 *
 *   B1  the sequence is odd from before the first word of a write changes until after the last did
 *   B2  a reader that saw one even sequence before and after its copy has one whole write
 *
 * The copy goes word by word through atomics, because a plain copy that races is undefined even if
 * it is thrown away. The writer stores words with release and the reader loads them with acquire:
 * seeing one new word means seeing the odd sequence that came before it, so no separate fence is
 * needed (which ThreadSanitizer could not follow). On x86 both are plain moves. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/board.h"
#include "model/run_io.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char board_magic[8] = "HFBOARD\n";
enum { BOARD_TRIES = 1000, BOARD_PAUSE_NS = 50000 };

typedef _Atomic uint64_t board_word;
_Static_assert(sizeof(struct plan_target) % sizeof(board_word) == 0, "copied by words");
_Static_assert(_Alignof(struct plan_target) == _Alignof(board_word), "words are aligned");
_Static_assert(sizeof(struct plan_view) % sizeof(board_word) == 0, "copied by words");
_Static_assert(sizeof(struct board_header) % sizeof(board_word) == 0, "targets are aligned");

enum { RECORD_SIZE = sizeof(struct plan_target) + sizeof(struct plan_view) };

static size_t board_size(uint32_t target_count)
{
    return sizeof(struct board_header) + (size_t)target_count * RECORD_SIZE;
}

static struct board board_view(const struct run_file *f)
{
    struct board_header *h = f->map;
    return (struct board){.header = h, .targets = (struct plan_target *)(h + 1), .size = f->size};
}

int board_create(const char *data, uint32_t target_count, uint64_t boot_id,
                 uint64_t config_fingerprint, struct board *ret)
{
    invariant(target_count <= BOARD_TARGETS_MAX);
    struct run_file f;
    int err = run_file_make(data, "board", board_size(target_count), &f);
    if (err)
        return err;
    struct board_header *h = f.map;
    memcpy(h->magic, board_magic, sizeof board_magic);
    h->version = BOARD_VERSION;
    h->target_count = target_count;
    h->target_size = RECORD_SIZE;
    h->boot_id = boot_id;
    h->config_fingerprint = config_fingerprint;
    err = run_file_publish(data, "board", &f);
    if (err)
        return err;
    run_file_unhold(&f);
    *ret = board_view(&f);
    return 0;
}

static void words_write(board_word *to, const void *records, size_t size)
{
    const uint8_t *from = records;
    for (size_t i = 0; i < size / sizeof *to; i++) {
        uint64_t word;
        memcpy(&word, from + i * sizeof word, sizeof word);
        atomic_store_explicit(&to[i], word, memory_order_release);
    }
}

void board_write(struct board *b, const struct plan *plan, usec_t now)
{
    struct board_header *h = b->header;
    invariant(plan->target_count == h->target_count &&
              (!plan->view_count || plan->view_count == h->target_count));
    uint64_t sequence = atomic_load_explicit(&h->sequence, memory_order_relaxed);
    invariant(sequence % 2 == 0);
    atomic_store_explicit(&h->sequence, sequence + 1, memory_order_relaxed);
    words_write((board_word *)b->targets, plan->targets,
                h->target_count * sizeof(struct plan_target));
    words_write((board_word *)(b->targets + h->target_count), plan->views,
                plan->view_count * sizeof(struct plan_view));
    atomic_store_explicit(&h->view_count, plan->view_count, memory_order_release);
    atomic_store_explicit(&h->beat, now, memory_order_release);
    atomic_store_explicit(&h->generation, plan->generation, memory_order_release);
    atomic_store_explicit(&h->sequence, sequence + 2, memory_order_release);
}

static int board_check(const struct run_file *f)
{
    const struct board_header *h = f->map;
    if (f->size < sizeof *h)
        return ERR_TRUNCATED;
    if (memcmp(h->magic, board_magic, sizeof board_magic) != 0)
        return ERR_MAGIC;
    if (h->version != BOARD_VERSION || h->target_size != RECORD_SIZE)
        return ERR_VERSION;
    if (h->target_count > BOARD_TARGETS_MAX || f->size != board_size(h->target_count))
        return ERR_TRUNCATED;
    return 0;
}

int board_open(const char *data, struct board *ret)
{
    struct run_file f;
    int err = run_file_open(data, "board", false, &f);
    if (err)
        return err;
    err = board_check(&f);
    if (err) {
        run_file_close(&f);
        return err;
    }
    run_file_unhold(&f);
    *ret = board_view(&f);
    return 0;
}

/* One attempt: true where the copy is whole (B2). */
static bool board_copy(const struct board *b, struct plan_target *targets,
                       struct board_header *header)
{
    const struct board_header *h = b->header;
    uint64_t before = atomic_load_explicit(&h->sequence, memory_order_acquire);
    if (before % 2)
        return false;
    const board_word *from = (const board_word *)b->targets;
    size_t words = (size_t)h->target_count * RECORD_SIZE / sizeof *from;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = atomic_load_explicit(&from[i], memory_order_acquire);
        memcpy((uint8_t *)targets + i * sizeof word, &word, sizeof word);
    }
    memcpy(header->magic, h->magic, sizeof header->magic);
    header->version = h->version;
    header->target_count = h->target_count;
    header->boot_id = h->boot_id;
    header->config_fingerprint = h->config_fingerprint;
    header->target_size = h->target_size;
    atomic_init(&header->view_count, atomic_load_explicit(&h->view_count, memory_order_acquire));
    atomic_init(&header->sequence, before);
    atomic_init(&header->beat, atomic_load_explicit(&h->beat, memory_order_acquire));
    atomic_init(&header->generation, atomic_load_explicit(&h->generation, memory_order_acquire));
    return atomic_load_explicit(&h->sequence, memory_order_relaxed) == before;
}

int board_read(const struct board *b, struct plan_target **ret_targets,
               struct board_header *ret_header)
{
    struct board_header header;
    struct plan_target *targets = mem_new(b->header->target_count + 1u, RECORD_SIZE);
    for (int i = 0; i < BOARD_TRIES; i++) {
        if (board_copy(b, targets, &header)) {
            if (atomic_load(&header.sequence) == 0) {
                free(targets);
                return ERR_MISSING;
            }
            *ret_targets = targets;
            *ret_header = header;
            return 0;
        }
        /* A writer that was killed half-way leaves the sequence odd until control is back. */
        nanosleep(&(struct timespec){.tv_nsec = BOARD_PAUSE_NS}, NULL);
    }
    free(targets);
    return ERR_CONFLICT;
}

void board_close(struct board *b)
{
    run_file_close(&(struct run_file){.map = b->header, .size = b->size, .fd = -1});
    *b = (struct board){0};
}
