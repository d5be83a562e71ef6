#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "model/run_io.h"
#include "model/stats.h"
#include "seam/clock.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char stats_magic[8] = "HFSTATS\n";

static uint64_t stats_layout(void)
{
    uint64_t h = STATS + STATS_NOTE_MAX;
    for (int i = 0; i < STATS; i++) {
        const struct stat_info *s = &stat_infos[i];
        h = hash64_seeded(s->name, strlen(s->name), h);
        h = hash64_seeded(s->labels, strlen(s->labels), h);
    }
    return h;
}

static size_t region_size(unsigned threads)
{
    return threads * sizeof(struct stats_thread) + STATS_NOTE_MAX;
}

static void stats_name(const char *role, char name[static 64])
{
    int n = snprintf(name, 64, "%s.stats", role);
    invariant(n > 0 && n < 64 && strlen(role) < STATS_ROLE_TEXT_MAX);
}

static struct stats_file stats_view(const struct run_file *f)
{
    struct stats_header *h = f->map;
    struct stats_thread *threads = (struct stats_thread *)((uint8_t *)f->map + h->offset);
    return (struct stats_file){.header = h,
                               .threads = threads,
                               .note = (char *)(threads + h->thread_count),
                               .thread_count = h->thread_count,
                               .size = f->size,
                               .fd = f->fd};
}

/* Of this kind, whatever its list. */
static int header_check(const struct run_file *f)
{
    const struct stats_header *h = f->map;
    if (f->size < sizeof *h)
        return ERR_TRUNCATED;
    if (memcmp(h->magic, stats_magic, sizeof stats_magic) != 0)
        return ERR_MAGIC;
    return h->version == STATS_VERSION ? 0 : ERR_VERSION;
}

static int stats_check(const struct run_file *f)
{
    const struct stats_header *h = f->map;
    int err = header_check(f);
    if (err)
        return err;
    if (h->stat_count != STATS || h->layout != stats_layout())
        return ERR_VERSION;
    if (h->thread_count == 0 || h->thread_count > STATS_THREADS_MAX || h->offset < sizeof *h ||
        h->offset % _Alignof(struct stats_thread) || h->offset > f->size ||
        f->size - h->offset < region_size(h->thread_count))
        return ERR_TRUNCATED;
    return 0;
}

/* The magic comes last: a file that was none before is refused by readers until it is there. */
static void header_fill(struct stats_header *h, const char *role, unsigned threads, size_t offset)
{
    uint64_t magic;
    memcpy(&magic, stats_magic, sizeof magic);
    h->version = STATS_VERSION;
    h->thread_count = threads;
    h->stat_count = STATS;
    h->pid = (uint32_t)getpid();
    memset(h->role, 0, sizeof h->role);
    memcpy(h->role, role, strlen(role));
    h->started_wall = clock_wall() / USEC_PER_SEC;
    h->layout = stats_layout();
    h->offset = offset;
    __atomic_store_n((uint64_t *)h->magic, magic, __ATOMIC_RELEASE);
}

/* Counters must not fall back when a role restarts, nor when it comes back with another number of
 * threads: what was counted goes on from the first thread. */
static void counters_keep(const struct run_file *f, uint64_t kept[static STATS])
{
    memset(kept, 0, STATS * sizeof *kept);
    if (stats_check(f))
        return;
    struct stats_file old = stats_view(f);
    for (int i = 0; i < STATS; i++)
        if (stat_infos[i].kind == STAT_counter)
            kept[i] = stats_value(&old, (enum stat_id)i);
}

/* Where the counters of a new process go: to the beginning, unless a living process has its own
 * there; then behind those. So two places are taken in turns and the file does not grow for ever.
 */
static size_t region_choose(const struct run_file *f, size_t size)
{
    const struct stats_header *h = f->map;
    size_t first = sizeof *h, align = _Alignof(struct stats_thread);
    if (header_check(f) || !run_file_held(f, h->offset) || first + size <= h->offset)
        return first;
    if (h->thread_count > STATS_THREADS_MAX || h->offset > f->size)
        return first; /* damaged */
    /* Theirs may be of another list: a block of one thread is padded to the alignment. */
    size_t block = (h->stat_count * sizeof(uint64_t) + align - 1) / align * align;
    return (h->offset + h->thread_count * block + STATS_NOTE_MAX + align - 1) / align * align;
}

static int region_take(const char *data, const char *name, size_t size, struct run_file *ret,
                       size_t *ret_offset)
{
    struct run_file f;
    int err = run_file_grow(data, name, sizeof(struct stats_header) + size, &f);
    if (err)
        return err;
    size_t offset = region_choose(&f, size);
    if (offset + size > f.size) {
        run_file_close(&f);
        err = run_file_grow(data, name, offset + size, &f);
        if (err)
            return err;
    }
    err = run_file_hold(&f, offset);
    if (err) {
        run_file_close(&f);
        return err;
    }
    *ret = f;
    *ret_offset = offset;
    return 0;
}

int stats_create(const char *data, const char *role, unsigned threads, struct stats_file *ret)
{
    invariant(threads > 0 && threads <= STATS_THREADS_MAX);
    char name[64];
    uint64_t kept[STATS];
    struct run_file f;
    size_t offset;
    stats_name(role, name);
    int err = region_take(data, name, region_size(threads), &f, &offset);
    if (err)
        return err;
    counters_keep(&f, kept);
    struct stats_thread *region = (struct stats_thread *)((uint8_t *)f.map + offset);
    memset(region, 0, region_size(threads));
    for (int i = 0; i < STATS; i++)
        stats_set(region, (enum stat_id)i, kept[i]);
    header_fill(f.map, role, threads, offset);
    *ret = stats_view(&f);
    return 0;
}

void stats_private(const char *role, unsigned threads, struct stats_file *ret)
{
    invariant(threads > 0 && threads <= STATS_THREADS_MAX);
    size_t size = sizeof(struct stats_header) + region_size(threads);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    invariant(map != MAP_FAILED);
    header_fill(map, role, threads, sizeof(struct stats_header));
    *ret = stats_view(&(struct run_file){.map = map, .size = size, .fd = -1});
}

int stats_open(const char *data, const char *role, struct stats_file *ret)
{
    char name[64];
    stats_name(role, name);
    struct run_file f;
    int err = run_file_open(data, name, false, &f);
    if (err)
        return err;
    err = stats_check(&f);
    if (err) {
        run_file_close(&f);
        return err;
    }
    *ret = stats_view(&f);
    return 0;
}

int stats_pid(const char *data, const char *role, uint32_t *ret_pid)
{
    char name[64];
    stats_name(role, name);
    struct run_file f;
    int err = run_file_open(data, name, false, &f);
    if (err)
        return err;
    err = header_check(&f);
    if (!err)
        *ret_pid = ((const struct stats_header *)f.map)->pid;
    run_file_close(&f);
    return err;
}

static struct run_file stats_file_of(const struct stats_file *f)
{
    return (struct run_file){.map = f->header, .size = f->size, .fd = f->fd};
}

void stats_close(struct stats_file *f)
{
    struct run_file file = stats_file_of(f);
    run_file_close(&file);
    *f = (struct stats_file){.fd = -1};
}

bool stats_alive(const struct stats_file *f)
{
    struct run_file file = stats_file_of(f);
    return run_file_held(&file, (size_t)((const uint8_t *)f->threads - (const uint8_t *)f->header));
}
