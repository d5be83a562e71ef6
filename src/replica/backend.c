#include "replica/backend_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "replica/message.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WRITE_ENTRIES_MAX = 4096, SEAL_AFTER_MS = 200, INSTALL_MS = 3000, RUNS_MAX = 256 };

static struct backend *of(const struct raft_io *io)
{
    return io->impl;
}

static void backend_fail(struct backend *b, int err, const char *what)
{
    if (b->failed)
        return;
    b->failed = err;
    text_appendf(&b->why, "%s: %s", what, err_text(err));
}

/* ---- work ---- */

struct backend_job {
    struct backend_job *next;
    enum { JOB_APPEND, JOB_PUT, JOB_GET, JOB_SEAL } kind;
    struct vault_run run;
    struct vault_snapshot snapshot;
    unsigned trailing;
    union {
        struct raft_io_append *append;
        struct raft_io_snapshot_put *put;
        struct raft_io_snapshot_get *get;
    };
    struct raft_snapshot *got;
    int err;
};

static struct backend_job *appends_run(struct vault *s, struct backend_job *j)
{
    struct vault_run runs[RUNS_MAX] = {{0}};
    unsigned count = 0, entries = 0;
    struct backend_job *end = j;
    for (; end && end->kind == JOB_APPEND && count < RUNS_MAX && entries < WRITE_ENTRIES_MAX;
         end = end->next) {
        entries += end->run.count;
        runs[count++] = end->run;
    }
    int err = vault_append(s, runs, count);
    for (; j != end; j = j->next)
        j->err = err;
    return end;
}

static int job_run(struct vault *s, struct backend_job *j)
{
    switch (j->kind) {
    case JOB_PUT:
        return vault_snapshot_put(s, &j->snapshot, j->trailing);
    case JOB_GET:
        return vault_snapshot_get(s, &j->got);
    default:
        return vault_seal(s);
    }
}

/* In the worker. After a failure nothing more is written. */
static void work_run(struct replica_work *work)
{
    struct backend *b = work->context;
    int err = 0;
    for (struct backend_job *j = b->taken; j;) {
        struct backend_job *next = j->next;
        if (err)
            j->err = err;
        else if (j->kind == JOB_APPEND)
            next = appends_run(&b->vault, j);
        else
            j->err = job_run(&b->vault, j);
        err = j->err;
        j = next;
    }
}

static void job_tell(struct backend *b, struct backend_job *j, int status)
{
    b->bounded = j->kind == JOB_APPEND;
    b->bound = j->run.first + j->run.count - 1;
    if (j->kind == JOB_APPEND)
        j->append->cb(j->append, status);
    else if (j->kind == JOB_PUT)
        j->put->cb(j->put, status);
    else if (j->kind == JOB_GET)
        j->get->cb(j->get, status ? NULL : j->got, status);
    b->bounded = false;
    if (status && j->kind == JOB_GET)
        vault_snapshot_free(j->got); /* it was read, and nobody wants it any more */
    free(j);
}

static void failures_note(struct backend *b)
{
    for (const struct backend_job *j = b->taken; j; j = j->next)
        if (j->err)
            backend_fail(b, j->err,
                         j->kind == JOB_GET ? "the snapshot cannot be read"
                                            : "the log cannot be written");
}

/* What libraft is told of when it is closed comes before what had not begun. */
static void taken_keep(struct backend *b)
{
    struct backend_job **end = &b->taken;
    while (*end)
        end = &(*end)->next;
    *end = b->queue;
    if (!b->queue)
        b->queue_end = end == &b->taken ? &b->queue : end;
    b->queue = b->taken;
    b->taken = NULL;
}

static void work_done(struct replica_work *work)
{
    struct backend *b = work->context;
    b->working = false;
    failures_note(b);
    if (b->failed || b->closing)
        taken_keep(b);
    while (b->taken) {
        struct backend_job *j = b->taken;
        b->taken = j->next;
        job_tell(b, j, 0);
    }
    b->worked(b->context);
}

static struct backend_job *job_new(struct backend *b, int kind)
{
    struct backend_job *j = mem_new(1, sizeof *j);
    j->kind = kind;
    *b->queue_end = j;
    b->queue_end = &j->next;
    return j;
}

static void work_begin(struct backend *b)
{
    if (b->working || !b->queue || b->failed || b->closing)
        return;
    b->taken = b->queue;
    b->queue = NULL;
    b->queue_end = &b->queue;
    b->working = true;
    b->work = (struct replica_work){.context = b, .run = work_run, .done = work_done};
    b->port->work(b->port->context, &b->work);
}

/* ---- raft_io ---- */

static int io_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static int io_load(struct raft_io *io, raft_term *term, raft_id *vote,
                   struct raft_snapshot **snapshot, raft_index *first, struct raft_entry *entries[],
                   size_t *count)
{
    struct backend *b = of(io);
    *term = b->vault.term;
    *vote = b->vault.vote;
    *snapshot = b->loaded.snapshot;
    *first = b->loaded.first;
    *entries = b->loaded.entries;
    *count = b->loaded.entry_count;
    b->loaded = (struct vault_loaded){0};
    return 0;
}

static int io_start(struct raft_io *io, unsigned ms, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    (void)ms;
    of(io)->tick = tick;
    of(io)->recv = recv;
    return 0;
}

static int io_found(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_CANTBOOTSTRAP; /* replica_found() does it, with the intent that there is */
}

/* Where that fails libraft is not told: its way out of it frees what it has not allocated. From
 * then on nothing that it says goes out (io_send), and it is closed as soon as it returns. */
static int vote_save(struct backend *b, raft_term term, raft_id vote)
{
    int err = b->failed ? b->failed : vault_vote(&b->vault, term, vote);
    if (err)
        backend_fail(b, err, "the vote cannot be written");
    return 0;
}

static int io_set_term(struct raft_io *io, raft_term term)
{
    return vote_save(of(io), term, 0);
}

static int io_set_vote(struct raft_io *io, raft_id vote)
{
    struct backend *b = of(io);
    return vote_save(b, b->vault.term, vote);
}

/* A reply to be sent confirms no more than was compared (guard 1). */
static struct raft_message bounded(const struct backend *b, const struct raft_message *m)
{
    struct raft_message out = *m;
    struct raft_append_entries_result *r = &out.append_entries_result;
    if (m->type == RAFT_IO_APPEND_ENTRIES_RESULT && b->bounded && !r->rejected &&
        r->last_log_index > b->bound)
        r->last_log_index = b->bound;
    return out;
}

static int io_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m,
                   raft_io_send_cb cb)
{
    struct backend *b = of(io);
    struct text bytes = text_init(MESSAGE_MAX);
    struct raft_message out = bounded(b, m);
    int err = b->failed;
    if (!err)
        message_put(&out, &bytes);
    if (!err)
        err = bytes.failed ? ERR_LIMIT
                           : b->port->send(b->port->context, m->server_id, REPLICA_RAFT, bytes.data,
                                           bytes.length);
    text_done(&bytes);
    req->cb = cb;
    struct backend_sent *s = mem_new(1, sizeof *s);
    /* Told later: where a call fails at once, libraft frees what it replies to twice. */
    *s = (struct backend_sent){.req = req, .status = err ? RAFT_NOCONNECTION : 0};
    *b->sent_end = s;
    b->sent_end = &s->next;
    return 0;
}

static int io_append(struct raft_io *io, struct raft_io_append *req,
                     const struct raft_entry entries[], unsigned count, raft_io_append_cb cb)
{
    struct backend *b = of(io);
    struct backend_job *j = job_new(b, JOB_APPEND);
    req->cb = cb;
    j->append = req;
    j->run = (struct vault_run){b->next, entries, count};
    b->next += count;
    b->unsealed = true;
    b->appended_ms = b->port->now_ms(b->port->context);
    return 0;
}

/* On the disk an entry replaces those of its index and after it: nothing to write. */
static int io_truncate(struct raft_io *io, raft_index index)
{
    of(io)->next = index;
    return 0;
}

static int io_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                  const struct raft_snapshot *s, raft_io_snapshot_put_cb cb)
{
    struct backend *b = of(io);
    struct backend_job *j = job_new(b, JOB_PUT);
    invariant(s->n_bufs == 1);
    req->cb = cb;
    j->put = req;
    j->trailing = trailing;
    j->snapshot = (struct vault_snapshot){s->index, s->configuration_index, s->term,
                                          s->configuration, s->bufs[0]};
    if (!trailing)
        b->next = s->index + 1;
    return 0;
}

static int io_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
    struct backend_job *j = job_new(of(io), JOB_GET);
    req->cb = cb;
    j->get = req;
    return 0;
}

static raft_time io_time(struct raft_io *io)
{
    return (raft_time)of(io)->port->now_ms(of(io)->port->context);
}

static int io_random(struct raft_io *io, int min, int max)
{
    uint64_t r = of(io)->port->random(of(io)->port->context);
    return min + (int)(r % (uint64_t)(max - min + 1));
}

/* ---- closing ---- */

static void sent_tell(struct backend *b, int status)
{
    while (b->sent) {
        struct backend_sent *s = b->sent;
        b->sent = s->next;
        if (!b->sent)
            b->sent_end = &b->sent;
        if (s->req->cb)
            s->req->cb(s->req, status ? status : s->status);
        free(s);
    }
}

static void close_end(struct backend *b)
{
    struct backend_job *last = NULL;
    if (!b->closing || b->closed || b->working)
        return;
    /* The newest first: each takes its entries off the end of libraft's log. */
    while (b->queue) {
        struct backend_job *j = b->queue;
        b->queue = j->next;
        j->next = last;
        last = j;
    }
    b->queue_end = &b->queue;
    while (last) {
        struct backend_job *j = last;
        last = j->next;
        job_tell(b, j, RAFT_CANCELED);
    }
    sent_tell(b, RAFT_CANCELED);
    b->closed = true;
    b->close_cb(&b->io);
}

static void io_close(struct raft_io *io, raft_io_close_cb cb)
{
    of(io)->close_cb = cb;
    of(io)->closing = true;
}

void backend_close(struct backend *b)
{
    if (!b->started || b->closing) {
        b->closed |= !b->started;
        return;
    }
    raft_close(&b->raft, NULL);
    close_end(b);
}

bool backend_may_mend(const struct backend *b)
{
    return b->failed < 0 && b->failed > ERR_BASE; /* an errno */
}

void backend_done(struct backend *b)
{
    invariant(!b->started || b->closed);
    vault_loaded_free(&b->loaded);
    vault_done(&b->vault);
    raft_configuration_close(&b->agreed);
    text_done(&b->why);
}

/* ---- libraft's memory ---- */

/* All zeros: libraft writes some of what it never set to disks and other nodes. */
static void *heap_new(void *data, size_t size)
{
    (void)data;
    return mem_new(size ? size : 1, 1);
}

static void *heap_new_many(void *data, size_t count, size_t size)
{
    (void)data;
    return mem_new(count ? count : 1, size ? size : 1);
}

static void *heap_resize(void *data, void *old, size_t size)
{
    (void)data;
    return mem_resize(old, size ? size : 1, 1);
}

static void heap_free(void *data, void *p)
{
    (void)data;
    free(p);
}

static void *heap_new_aligned(void *data, size_t alignment, size_t size)
{
    (void)data;
    (void)alignment;
    (void)size;
    return NULL; /* only libraft's own disk wants that, which is not used here */
}

static void heap_free_aligned(void *data, size_t alignment, void *p)
{
    (void)data;
    (void)alignment;
    free(p);
}

static struct raft_heap heap = {NULL,        heap_new,         heap_free,        heap_new_many,
                                heap_resize, heap_new_aligned, heap_free_aligned};

/* ---- life ---- */

static void io_fill(struct backend *b)
{
    b->io = (struct raft_io){.version = 1,
                             .impl = b,
                             .init = io_init,
                             .close = io_close,
                             .load = io_load,
                             .start = io_start,
                             .bootstrap = io_found,
                             .recover = io_found,
                             .set_term = io_set_term,
                             .set_vote = io_set_vote,
                             .send = io_send,
                             .append = io_append,
                             .truncate = io_truncate,
                             .snapshot_put = io_put,
                             .snapshot_get = io_get,
                             .time = io_time,
                             .random = io_random};
}

static int raft_begin(struct backend *b, const struct backend_options *o)
{
    char address[BACKEND_ADDRESS_MAX];
    snprintf(address, sizeof address, "%" PRIu64, o->id);
    int err = raft_init(&b->raft, &b->io, o->fsm, o->id, address);
    if (err)
        return err;
    raft_set_election_timeout(&b->raft, o->election_ms);
    raft_set_heartbeat_timeout(&b->raft, o->beat_ms);
    raft_set_snapshot_threshold(&b->raft, o->snapshot_entries);
    raft_set_snapshot_trailing(&b->raft, o->trailing_entries);
    raft_set_install_snapshot_timeout(&b->raft, INSTALL_MS);
    raft_set_pre_vote(&b->raft, true);
    b->started = true;
    return raft_start(&b->raft);
}

int backend_start(struct backend *b, const struct backend_options *o)
{
    *b = (struct backend){.port = o->port,
                          .worked = o->worked,
                          .context = o->context,
                          .why = text_init(BACKEND_WHY_MAX)};
    b->queue_end = &b->queue;
    b->sent_end = &b->sent;
    raft_configuration_init(&b->agreed);
    raft_heap_set(&heap);
    vault_init(&b->vault, &o->port->disk, o->segment_max);
    io_fill(b);
    b->failed = vault_load(&b->vault, &b->loaded, &b->why);
    if (b->failed)
        return b->failed;
    /* The newest vote may have its name from a write that failed at its very end, and last no
     * longer than the machine: it is made to last, and all names of the folder with it. */
    if (b->vault.vote_sequence)
        (void)vote_save(b, b->vault.term, b->vault.vote);
    if (b->failed)
        return b->failed;
    b->next = b->vault.last + 1;
    guard_loaded(b);
    int err = raft_begin(b, o);
    if (err) {
        text_appendf(&b->why, "%s", raft_strerror(err));
        b->failed = ERR_INVALID;
    } else {
        guard_started(b);
        backend_settle(b);
    }
    return b->failed;
}

void backend_settle(struct backend *b)
{
    if (!b->closing && b->started)
        guard_look(b);
    while (b->sent && !b->closing)
        sent_tell(b, 0);
    if (!b->closing && !b->failed && b->started && b->raft.state == RAFT_UNAVAILABLE)
        backend_fail(b, ERR_INVALID, "the log is not one that the others could have");
    work_begin(b);
    close_end(b);
}

void backend_tick(struct backend *b)
{
    if (!b->started || b->closing || b->failed)
        return;
    b->tick(&b->io);
    if (b->unsealed && b->port->now_ms(b->port->context) - b->appended_ms > SEAL_AFTER_MS) {
        (void)job_new(b, JOB_SEAL);
        b->unsealed = false;
    }
    backend_settle(b);
}

void backend_take(struct backend *b, uint64_t node, struct bytes data)
{
    struct raft_message m;
    char address[BACKEND_ADDRESS_MAX];
    if (!b->started || b->closing || b->failed || message_take(data, &m))
        return;
    snprintf(address, sizeof address, "%" PRIu64, node);
    m.server_id = node;
    m.server_address = address;
    if (guard_pass(b, &m))
        b->recv(&b->io, &m);
    else
        message_drop(&m);
    b->bounded = false;
    backend_settle(b);
}
