/* A name server without sockets: which plan it takes is what is looked at. */
#include "base/err.h"
#include "model/snapshot_io.h"
#include "seam/clock.h"
#include "serve/dns/query_rig.h"
#include "serve/dns/server_io.h"
#include "serve/dns/trust_io.h"
#include "test/check_main.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 10000, NAMES = 3000, NET = 1 /* the rig's file that is made large */ };

struct site {
    char data[64], zone[PATH_MAX], list[PATH_MAX];
    struct rig *r;
    int stop[2];
    struct stats_file stats;
    struct dns_server_options options;
    pthread_t thread;
};

static void file_read(const char *path, char **ret, size_t *ret_size)
{
    ck_assert_int_eq(disk_read(path, 1 << 28, ret, ret_size), 0);
}

/* In place: the inode stays. */
static void file_write_over(const char *path, const void *data, size_t size, size_t at)
{
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, data, size, (off_t)at), (int)size);
    close(fd);
}

static struct rig_file net_zone(unsigned names)
{
    struct text t = text_init(1 << 20);
    text_append(&t, "@ 5 SOA a b 9 2 3 4 5\n@ 5 NS ns.example.com.\nhost 5 A 192.0.2.77\n");
    for (unsigned i = 0; i < names; i++)
        text_appendf(&t, "n%u 5 A 192.0.2.1\n", i);
    struct rig_file f = rig_zone("example.net", text_string(&t), NULL, 0);
    text_done(&t);
    return f;
}

static void publish(struct site *s, uint64_t generation)
{
    s->r->maker.plan.generation = generation;
    s->r->maker.plan.config_fingerprint = generation;
    for (uint32_t i = 0; i < s->r->maker.plan.file_count; i++) {
        const struct plan_file *f = &s->r->maker.files[i];
        ck_assert_int_eq(store_put(s->data, (enum plan_file_kind)f->kind, f->hash,
                                   s->r->files[i].data, s->r->files[i].size),
                         0);
    }
    ck_assert_int_eq(snapshot_publish(s->data, &s->r->maker.plan), 0);
}

/* Plan 1 with a small zone, plan 2 with a large one under its name. */
static void site_open(struct site *s)
{
    memset(s, 0, sizeof *s);
    snprintf(s->data, sizeof s->data, "/tmp/dns-trust-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->data));
    ck_assert_int_eq(snapshot_folders_create(s->data), 0);
    snprintf(s->list, sizeof s->list, "%s/zones.verified", s->data);
    s->r = rig_new();
    publish(s, 1);
    free(s->r->files[NET].data);
    s->r->files[NET] = net_zone(NAMES);
    s->r->maker.files[NET].hash = rig_hash(&s->r->files[NET]);
    snprintf(s->zone, sizeof s->zone, "%s/store/%016llx.zone", s->data,
             (unsigned long long)s->r->maker.files[NET].hash);
    publish(s, 2);
}

static void *site_run(void *context)
{
    struct site *s = context;
    ck_assert_int_eq(dns_server_run(&s->options), 0);
    return NULL;
}

static uint64_t stat_of(const struct site *s, enum stat_id id)
{
    return stats_value(&s->stats, id);
}

static void stat_wait(const struct site *s, enum stat_id id, uint64_t value)
{
    for (int i = 0; i < WAIT_MS && stat_of(s, id) != value; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(stat_of(s, id), value);
}

static void site_start(struct site *s)
{
    ck_assert_int_eq(pipe(s->stop), 0);
    stats_private("dns", 1, &s->stats);
    s->options = (struct dns_server_options){
        .data = s->data, .threads = 1, .stats = &s->stats, .stop_fd = s->stop[0]};
    ck_assert_int_eq(pthread_create(&s->thread, NULL, site_run, s), 0);
}

static void site_stop(struct site *s)
{
    ck_assert_int_eq((int)write(s->stop[1], "x", 1), 1);
    ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
    close(s->stop[0]);
    close(s->stop[1]);
    stats_close(&s->stats);
}

static int file_remove(void *folder, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", (const char *)folder, name);
    return disk_remove(path);
}

static void site_close(struct site *s)
{
    static const char *const folders[] = {"plan", "store", "run"};
    for (size_t i = 0; i < array_length(folders); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", s->data, folders[i]);
        if (!disk_list(path, file_remove, path))
            rmdir(path);
    }
    rig_free(s->r);
    ck_assert_int_eq(disk_remove(s->list), 0);
    ck_assert_int_eq(rmdir(s->data), 0);
}

static enum verdict verdict_of(const struct site *s)
{
    char *bytes;
    size_t size;
    struct verified v;
    struct disk_identity now;
    enum verdict found = VERDICT_NONE;
    if (disk_read(s->list, 1 << 20, &bytes, &size))
        return found;
    ck_assert_int_eq(disk_identify(s->zone, &now), 0);
    if (!verified_decode(bytes, size, 0, 0, &v)) {
        found = verified_find(&v, s->r->maker.files[NET].hash, &now);
        verified_done(&v);
    }
    free(bytes);
    return found;
}

static void verdict_wait(const struct site *s, enum verdict wanted)
{
    for (int i = 0; i < WAIT_MS && verdict_of(s) != wanted; i++)
        poll(NULL, 0, 1);
    ck_assert_int_eq(verdict_of(s), wanted);
}

/* Some byte of an image: only whoever looks at every byte finds it. */
static void zone_damage(struct site *s)
{
    uint8_t wrong = (uint8_t)(s->r->files[NET].data[s->r->files[NET].size - 3] ^ 0x55);
    file_write_over(s->zone, &wrong, 1, s->r->files[NET].size - 3);
}

/* What was looked through is noted once it is old enough; what was changed since, size and mtime
 * alike, is looked through again before it serves. */
START_TEST(test_changed_file_is_not_trusted)
{
    struct site s;
    struct stat st;
    site_open(&s);
    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 2);
    ck_assert_int_eq(verdict_of(&s), VERDICT_NONE); /* young */
    verdict_wait(&s, VERDICT_RIGHT);
    site_stop(&s);

    site_start(&s); /* again: at once, from the file as it was left */
    stat_wait(&s, PLAN_GENERATION, 2);
    site_stop(&s);
    ck_assert_int_eq(verdict_of(&s), VERDICT_RIGHT);

    ck_assert_int_eq(stat(s.zone, &st), 0);
    zone_damage(&s);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    ck_assert_int_eq(utimensat(AT_FDCWD, s.zone, times, 0), 0);
    ck_assert_int_eq(verdict_of(&s), VERDICT_NONE);
    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 1); /* that is whole */
    ck_assert_uint_eq(stat_of(&s, PLAN_REFUSED), 1);
    stat_wait(&s, PLAN_GENERATION, 2); /* with the zone as it is in the other */
    ck_assert_uint_eq(stat_of(&s, ZONES_LACKING), 1);
    poll(NULL, 0, 1200);
    ck_assert_uint_eq(stat_of(&s, ZONES_LACKING), 1);
    site_stop(&s);
    site_close(&s);
}
END_TEST

/* The list says that the file is right, as it would if the disk had changed it behind the file
 * system's back. */
static void list_lie(const struct site *s)
{
    char *bytes;
    size_t size;
    uint64_t origin[2]; /* program and boot */
    struct verified v;
    struct disk_identity now;
    file_read(s->list, &bytes, &size);
    memcpy(origin, bytes + 16, sizeof origin);
    ck_assert_int_eq(verified_decode(bytes, size, origin[0], origin[1], &v), 0);
    ck_assert_int_eq(disk_identify(s->zone, &now), 0);
    ck_assert(verified_put(&v, s->r->maker.files[NET].hash, &now, INT64_MAX, VERDICT_RIGHT, NULL));
    verified_use(&v, s->r->maker.files[NET].hash);
    free(bytes);
    bytes = verified_encode(&v, origin[0], origin[1], &size);
    file_write_over(s->list, bytes, size, 0);
    free(bytes);
    verified_done(&v);
}

/* The list as another program, or this one before another boot, would have left it. */
static void list_origin(const struct site *s, uint64_t program, uint64_t boot)
{
    char *bytes;
    size_t size;
    uint64_t origin[2];
    struct verified v;
    file_read(s->list, &bytes, &size);
    memcpy(origin, bytes + 16, sizeof origin);
    ck_assert_int_eq(verified_decode(bytes, size, origin[0], origin[1], &v), 0);
    verified_use(&v, s->r->maker.files[NET].hash);
    free(bytes);
    bytes = verified_encode(&v, origin[0] ^ program, origin[1] ^ boot, &size);
    file_write_over(s->list, bytes, size, 0);
    free(bytes);
    verified_done(&v);
}

/* Would a name server that starts now answer from the file without looking through it first? */
static bool recognised(const struct site *s)
{
    struct trust t;
    struct mapped file;
    struct disk_identity now;
    uint64_t hash = s->r->maker.files[NET].hash;
    ck_assert_int_eq(trust_open(&t, s->data), 0);
    ck_assert_int_eq(store_map_identified(s->data, PLAN_FILE_ZONE, hash, &file, &now), 0);
    ck_assert_int_eq(trust_verdict(&t, hash, &now), VERDICT_NONE);
    bool found = trust_recognises(&t, hash, &file);
    mapped_close(&file);
    trust_close(&t);
    return found;
}

/* After another boot, and in another file, the same content is recognised; with one bit changed it
 * is not, and neither is it by another program. */
START_TEST(test_same_content_is_recognised)
{
    struct site s;
    char *bytes;
    size_t size;
    site_open(&s);
    site_start(&s);
    verdict_wait(&s, VERDICT_RIGHT);
    site_stop(&s);
    list_origin(&s, 0, 1);
    ck_assert(recognised(&s));

    file_read(s.zone, &bytes, &size);
    ck_assert_int_eq(disk_write_atomic(s.zone, bytes, size, 0644), 0);
    ck_assert(recognised(&s));
    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 2);
    site_stop(&s);

    for (size_t at = 0; at < size; at += size / 5) {
        bytes[at] ^= 1;
        ck_assert_int_eq(disk_write_atomic(s.zone, bytes, size, 0644), 0);
        ck_assert(!recognised(&s));
        bytes[at] ^= 1;
    }
    ck_assert_int_eq(disk_write_atomic(s.zone, bytes, size - 1, 0644), 0);
    ck_assert(!recognised(&s));
    site_start(&s); /* refused */
    stat_wait(&s, PLAN_GENERATION, 1);
    ck_assert_uint_eq(stat_of(&s, PLAN_REFUSED), 1);
    site_stop(&s);

    ck_assert_int_eq(disk_write_atomic(s.zone, bytes, size, 0644), 0);
    list_origin(&s, 1, 0);
    ck_assert(!recognised(&s));
    free(bytes);
    site_close(&s);
}
END_TEST

/* A young file's content is known as soon as it served: who starts a node, looks and starts it
 * again need not wait. That it is the very file is not noted yet. */
START_TEST(test_young_content_is_known_at_the_end)
{
    struct site s;
    site_open(&s);
    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 2);
    site_stop(&s);
    ck_assert_int_eq(verdict_of(&s), VERDICT_NONE);
    ck_assert(recognised(&s));
    site_close(&s);
}
END_TEST

static void trust_finish(struct trust *t)
{
    struct pollfd done = {.fd = t->done_fd, .events = POLLIN};
    ck_assert_ptr_nonnull(t->in_hand);
    ck_assert_int_eq(poll(&done, 1, WAIT_MS), 1);
}

/* What was right, and is damaged before its content is taken, is not what was right (L2). */
START_TEST(test_content_is_of_what_was_looked_through)
{
    struct site s;
    struct trust t;
    struct mapped file;
    struct disk_identity now;
    for (int damaged = 0; damaged < 2; damaged++) {
        site_open(&s);
        uint64_t hash = s.r->maker.files[NET].hash;
        ck_assert_int_eq(trust_open(&t, s.data), 0);
        ck_assert_int_eq(store_map_identified(s.data, PLAN_FILE_ZONE, hash, &file, &now), 0);
        struct trusted_file *f = trust_add(&t, hash, &now, file);
        trust_begin(&t);
        ck_assert_ptr_null(t.in_hand); /* nobody looked through it */
        trust_checked(&t, f, 0);
        if (damaged)
            zone_damage(&s);
        trust_begin(&t);
        trust_finish(&t);
        ck_assert_int_eq(trust_step(&t), damaged ? ERR_CHECKSUM : 0);
        trust_stop(&t);
        trust_remove(&t, f);
        trust_close(&t);
        ck_assert(recognised(&s) == !damaged);
        if (!damaged)
            site_close(&s);
    }
    ck_assert_int_ne(disk_remove(s.list), 0); /* nothing was noted */
    int list = open(s.list, O_WRONLY | O_CREAT, 0644);
    close(list);
    site_close(&s);
}
END_TEST

/* What counts is how old it was when it was looked through, not when its content was taken. */
START_TEST(test_young_file_is_looked_through_again)
{
    struct site s;
    struct trust t;
    struct mapped file;
    struct disk_identity now;
    site_open(&s);
    uint64_t hash = s.r->maker.files[NET].hash;
    ck_assert_int_eq(trust_open(&t, s.data), 0);
    ck_assert_int_eq(store_map_identified(s.data, PLAN_FILE_ZONE, hash, &file, &now), 0);
    now.changed_ns = now.modified_ns = clock_wall() * 1000 - 10000000000;
    struct trusted_file *f = trust_add(&t, hash, &now, file);
    f->began_ns = now.changed_ns;
    trust_checked(&t, f, 0);
    trust_begin(&t);
    trust_finish(&t);
    ck_assert_int_eq(trust_step(&t), 0); /* and the next look begins */
    ck_assert_int_eq(trust_verdict(&t, hash, &now), VERDICT_NONE);
    ck_assert_ptr_nonnull(verified_content(&t.list, hash));
    trust_finish(&t);
    ck_assert_int_eq(trust_step(&t), 0);
    ck_assert_int_eq(trust_verdict(&t, hash, &now), VERDICT_RIGHT);
    ck_assert_ptr_null(t.in_hand);
    trust_stop(&t);
    trust_remove(&t, f);
    trust_close(&t);
    site_close(&s);
}
END_TEST

/* It is found out while it serves; the plan before takes its place, and the file is not tried
 * again until it is another. */
START_TEST(test_damage_found_while_serving)
{
    struct site s;
    site_open(&s);
    site_start(&s);
    verdict_wait(&s, VERDICT_RIGHT);
    site_stop(&s);
    zone_damage(&s);
    list_lie(&s);
    ck_assert_int_eq(verdict_of(&s), VERDICT_RIGHT);

    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 2); /* trusted */
    stat_wait(&s, PLAN_GENERATION, 1); /* looked through, and withdrawn */
    stat_wait(&s, PLAN_REFUSED, 1);
    verdict_wait(&s, VERDICT_WRONG);
    site_stop(&s);

    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 1);
    publish(&s, 3); /* makes the file again: its content is not what its name says */
    stat_wait(&s, PLAN_GENERATION, 3);
    site_stop(&s);
    site_close(&s);
}
END_TEST

/* With no plan left that is whole: the zone is dark, alone, until its file is made again or a plan
 * has another. */
START_TEST(test_damage_with_nothing_to_return_to)
{
    struct site s;
    char path[PATH_MAX], *bytes;
    size_t size;
    site_open(&s);
    file_read(s.zone, &bytes, &size);
    site_start(&s);
    verdict_wait(&s, VERDICT_RIGHT);
    site_stop(&s);
    snprintf(path, sizeof path, "%s/plan/%020u.plan", s.data, 1u);
    ck_assert_int_eq(disk_remove(path), 0);
    zone_damage(&s);
    list_lie(&s);
    site_start(&s);
    stat_wait(&s, PLAN_GENERATION, 2);
    stat_wait(&s, ZONES_LACKING, 1);
    ck_assert_uint_eq(stat_of(&s, PLAN_GENERATION), 2);
    ck_assert_int_eq(disk_write_atomic(s.zone, bytes, size, 0644), 0);
    stat_wait(&s, ZONES_LACKING, 0);
    ck_assert_uint_eq(stat_of(&s, PLAN_GENERATION), 2);
    site_stop(&s);

    ck_assert_int_eq(disk_remove(s.zone), 0);
    site_start(&s);
    stat_wait(&s, ZONES_LACKING, 1);
    publish(&s, 3);
    stat_wait(&s, PLAN_GENERATION, 3);
    ck_assert_uint_eq(stat_of(&s, ZONES_LACKING), 0);
    site_stop(&s);
    free(bytes);
    site_close(&s);
}
END_TEST

CHECK_MAIN("trust", test_changed_file_is_not_trusted, test_same_content_is_recognised,
           test_young_content_is_known_at_the_end, test_content_is_of_what_was_looked_through,
           test_young_file_is_looked_through_again, test_damage_found_while_serving,
           test_damage_with_nothing_to_return_to)
