#include "serve/dns/trust_io.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/memory.h"
#include "model/run_io.h"
#include "model/zone.h"
#include "seam/clock.h"
#include "seam/thread.h"
#include "serve/dns/fingerprint_io.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { NOT_DONE = 1, BOOT_ID_MAX = 64 };
#define STARVED (10 * USEC_PER_SEC) /* at work for so long: it hardly gets the core */

static int64_t wall_ns(void)
{
    return clock_wall() * 1000;
}

/* ---- the list ---- */

/* Another program may check less or more. 0 where it cannot be known. */
static uint64_t program_of(void)
{
    const uint8_t *bytes;
    size_t size;
    if (disk_map("/proc/self/exe", &bytes, &size))
        return 0;
    uint64_t program = hash64(bytes, size);
    disk_unmap(bytes, size);
    return program;
}

/* A machine that went down may have lost what was written, or its disk may have been in other
 * hands. 0 where it cannot be known. */
static uint64_t boot_of(void)
{
    char *id;
    size_t length;
    if (disk_read("/proc/sys/kernel/random/boot_id", BOOT_ID_MAX, &id, &length))
        return 0;
    uint64_t boot = hash64(id, length);
    free(id);
    return boot;
}

static void list_read(struct trust *t)
{
    struct run_file f;
    int err = t->program ? run_file_open_kept(t->data, VERIFIED_NAME, &f) : ERR_MISSING;
    if (err)
        return;
    /* A copy: another name server may write in it while an upgrade lasts. */
    void *copy = mem_new(f.size, 1);
    memcpy(copy, f.map, f.size);
    err = verified_decode(copy, f.size, t->program, t->boot, &t->list);
    if (err && err != ERR_OLDER)
        log_event(LOG_WARN, "verified.read", {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("large zones are checked before they are served")});
    free(copy);
    run_file_close(&f);
}

/* In place: a role may not rename. Whoever reads a half of it finds that the checksum is wrong. */
static void list_write(struct trust *t)
{
    size_t size;
    struct run_file f;
    for (const struct trusted_file *file = t->resting; file; file = file->next)
        verified_use(&t->list, file->hash);
    for (const struct trusted_file *file = t->due; file; file = file->next)
        verified_use(&t->list, file->hash);
    auto_free void *bytes = verified_encode(&t->list, t->program, t->boot, &size);
    int err = t->program ? run_file_grow_kept(t->data, VERIFIED_NAME, size, &f) : ERR_MISSING;
    if (err) {
        if (!t->told)
            log_event(LOG_WARN, "verified.write", {"reason", LOG_S(err_text(err))},
                      {"consequence", LOG_S("the next start checks large zones before they are "
                                            "served")});
        t->told = true;
        return;
    }
    memcpy(f.map, bytes, size);
    run_file_close(&f);
}

/* ---- the files ---- */

static void file_put(struct trusted_file **list, struct trusted_file *f)
{
    f->next = *list;
    f->at = list;
    if (f->next)
        f->next->at = &f->next;
    *list = f;
}

static void file_take(struct trusted_file *f)
{
    *f->at = f->next;
    if (f->next)
        f->next->at = f->at;
}

static void file_move(struct trusted_file **list, struct trusted_file *f)
{
    file_take(f);
    file_put(list, f);
}

/* ---- the thread ---- */

/* Of a file that was looked through by this process: is it what it was then? */
static int file_same(const struct trusted_file *f)
{
    return zone_checksum(f->file.data, f->file.size) == f->hash ? 0 : ERR_CHECKSUM;
}

static int file_check(const struct trust *t, const struct trusted_file *f)
{
    struct zone_opening *o;
    struct zone z;
    int err = zone_opening_new(f->file.data, f->file.size, &o);
    if (err)
        return err;
    for (unsigned i = 0; i < zone_opening_parts(o) && !atomic_load(&t->stop); i++)
        zone_opening_part(o, i);
    err = zone_opening_end(o, &z);
    return !err && z.header->checksum != f->hash ? ERR_CHECKSUM : err;
}

static void *look_through(void *context)
{
    struct trust *t = context;
    const struct mapped *m = &t->in_hand->file;
    uint64_t one = 1;
    thread_yields();
    /* First what it is, then whether it is right: what is damaged in between was not right. */
    t->content = fingerprint_take(m, false);
    int err = t->again ? file_check(t, t->in_hand) : file_same(t->in_hand);
    (void)madvise((void *)(uintptr_t)m->data, m->size, MADV_DONTNEED);
    atomic_store(&t->result, err);
    ssize_t written = write(t->done_fd, &one, sizeof one);
    invariant(written == sizeof one);
    return NULL;
}

static bool file_unknown(const struct trusted_file *f)
{
    return f->walked && !f->printed;
}

static void thread_begin(struct trust *t, struct trusted_file *f)
{
    file_move(&t->resting, f);
    t->again = !file_unknown(f);
    if (t->again)
        f->began_ns = wall_ns();
    t->begun = clock_now();
    t->in_hand = f;
    atomic_store(&t->result, NOT_DONE);
    int err = pthread_create(&t->thread, NULL, look_through, t);
    if (!err)
        return;
    log_event(LOG_WARN, "verified.thread", {"reason", LOG_S(err_text(-err))});
    t->in_hand = NULL; /* it serves on; the next process checks before it serves */
}

static int thread_join(struct trust *t)
{
    uint64_t count;
    int failed = pthread_join(t->thread, NULL);
    invariant(!failed && atomic_load(&t->result) <= 0);
    ssize_t n = read(t->done_fd, &count, sizeof count);
    invariant(n == sizeof count);
    t->in_hand = NULL;
    return atomic_load(&t->result);
}

/* ---- */

int trust_open(struct trust *t, const char *data)
{
    *t = (struct trust){.data = data, .list = verified_init()};
    t->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->done_fd < 0)
        return -errno;
    t->program = program_of();
    t->boot = boot_of();
    list_read(t);
    return 0;
}

static void file_free(struct trusted_file *f)
{
    file_take(f);
    mapped_close(&f->file);
    free(f);
}

void trust_close(struct trust *t)
{
    invariant(!t->due && !t->resting && !t->in_hand);
    if (t->done_fd >= 0)
        close(t->done_fd);
    verified_done(&t->list);
}

enum verdict trust_verdict(const struct trust *t, uint64_t hash,
                           const struct disk_identity *identity)
{
    return verified_find(&t->list, hash, identity);
}

bool trust_recognises(const struct trust *t, uint64_t hash, const struct mapped *file)
{
    const struct hash128 *known = verified_content(&t->list, hash);
    return known && hash128_equal(*known, fingerprint_take(file, true));
}

struct trusted_file *trust_add(struct trust *t, uint64_t hash, const struct disk_identity *identity,
                               struct mapped file)
{
    struct trusted_file *f = mem_new(1, sizeof *f);
    *f = (struct trusted_file){
        .hash = hash, .identity = *identity, .file = file, .began_ns = wall_ns()};
    file_put(&t->due, f);
    return f;
}

/* content: NULL where the fingerprint was not taken. */
static void result_note(struct trust *t, struct trusted_file *f, int err,
                        const struct hash128 *content)
{
    enum verdict verdict = err ? VERDICT_WRONG : VERDICT_RIGHT;
    (void)verified_put(&t->list, f->hash, &f->identity, f->began_ns, verdict, content);
    f->walked = !err;
    f->printed = content || verified_content(&t->list, f->hash);
    bool again = !err && (!f->printed || !verified_settled(&f->identity, f->began_ns));
    file_move(again ? &t->due : &t->resting, f);
}

void trust_checked(struct trust *t, struct trusted_file *f, int err)
{
    result_note(t, f, err, NULL);
}

void trust_copy_wrong(struct trust *t, uint64_t hash, const struct disk_identity *identity,
                      int64_t began_ns)
{
    (void)verified_put(&t->list, hash, identity, began_ns, VERDICT_WRONG, NULL);
}

void trust_remove(struct trust *t, struct trusted_file *f)
{
    if (t->in_hand == f)
        f->removed = true;
    else
        file_free(f);
}

static void damage_tell(uint64_t hash, int err)
{
    char name[24];
    snprintf(name, sizeof name, "%016llx.zone", (unsigned long long)hash);
    log_event(LOG_ERROR, "zone.damaged", {"file", LOG_S(name)}, {"reason", LOG_S(err_text(err))},
              {"consequence", LOG_S("it is not answered from any more")});
}

static int result_take(struct trust *t)
{
    struct trusted_file *f = t->in_hand;
    int err = thread_join(t);
    result_note(t, f, err, err ? NULL : &t->content);
    if (f->removed) {
        file_free(f);
        return 0;
    }
    if (err)
        damage_tell(f->hash, err);
    return err;
}

static struct trusted_file *unknown_find(const struct trust *t)
{
    for (struct trusted_file *f = t->due; f; f = f->next)
        if (file_unknown(f))
            return f;
    return NULL;
}

/* Young files wait: that it was they who were right cannot be noted, only what was in them. */
static struct trusted_file *due_find(const struct trust *t)
{
    int64_t now = wall_ns();
    for (struct trusted_file *f = t->due; f; f = f->next)
        if (verified_settled(&f->identity, now))
            return f;
    return NULL;
}

void trust_begin(struct trust *t)
{
    struct trusted_file *f = t->in_hand ? NULL : unknown_find(t);
    if (f)
        thread_begin(t, f);
}

/* A walk is cut short, and has found nothing then, damage neither; what takes a file's content goes
 * on to its end: some 20 ms for 115 MB. */
void trust_stop(struct trust *t)
{
    struct trusted_file *f = t->in_hand;
    atomic_store(&t->stop, true);
    if (f)
        thread_resumes(t->thread);
    if (f && thread_join(t) == 0)
        result_note(t, f, 0, &t->content);
    if (t->list.changed)
        list_write(t);
    if (f && f->removed)
        file_free(f);
}

int trust_step(struct trust *t)
{
    int err = 0;
    if (t->in_hand) {
        if (atomic_load(&t->result) == NOT_DONE) {
            if (clock_now() - t->begun > STARVED)
                thread_resumes(t->thread);
            return 0;
        }
        err = result_take(t);
    }
    if (!err)
        trust_begin(t);
    struct trusted_file *next = err || t->in_hand ? NULL : due_find(t);
    if (next)
        thread_begin(t, next);
    else if (!t->in_hand && t->list.changed)
        list_write(t);
    return err;
}
