/* Many threads follow what one reads: each has whole secrets, of one version, and never goes back.
 * Run it under TSan too. */
#include "base/err.h"
#include "seam/disk.h"
#include "serve/dns/cookie_keep_io.h"
#include "test/check_main.h"
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS = 3, VERSIONS = 40, NEVER = 255 };

struct site {
    char data[64];
    struct cookie_keep *keep;
    _Atomic bool stop;
    _Atomic unsigned rounds;
};

static void site_open(struct site *s)
{
    char run[96];
    *s = (struct site){.data = "/tmp/holdfast-cookies-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(s->data));
    snprintf(run, sizeof run, "%s/run", s->data);
    ck_assert_int_eq(mkdir(run, 0755), 0);
    s->keep = cookie_keep_new(s->data);
}

static void site_close(struct site *s)
{
    char path[96];
    cookie_keep_free(s->keep);
    snprintf(path, sizeof path, "%s/run/cookies", s->data);
    ck_assert_int_eq(disk_remove(path), 0);
    snprintf(path, sizeof path, "%s/run", s->data);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(s->data), 0);
}

static void text_put(const struct site *s, const char *text)
{
    char path[96];
    snprintf(path, sizeof path, "%s/run/cookies", s->data);
    ck_assert_int_eq(disk_write_unsynced(path, text, strlen(text), 0600), 0);
    cookie_keep_look(s->keep);
}

/* All secrets of a version are of that byte. */
static void secrets_put(const struct site *s, unsigned version)
{
    char text[COOKIE_SECRETS_MAX * 33 + 1];
    size_t n = 0;
    for (unsigned i = 0; i < COOKIE_SECRETS_MAX; i++) {
        for (unsigned k = 0; k < COOKIE_SECRET_SIZE; k++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%02x", version);
        n += (size_t)snprintf(text + n, sizeof text - n, "\n");
    }
    text_put(s, text);
}

/* The version, or NEVER where the secrets are not whole. */
static unsigned version_of(const struct cookie_secrets *c)
{
    for (unsigned i = 0; i < COOKIE_SECRETS_MAX; i++)
        for (unsigned k = 0; k < COOKIE_SECRET_SIZE; k++)
            if (c->list[i][k] != c->list[0][0])
                return NEVER;
    return c->count == COOKIE_SECRETS_MAX ? c->list[0][0] : NEVER;
}

struct follower {
    struct site *site;
    pthread_t thread;
    unsigned newest, wrong;
};

static void follow(struct follower *f, unsigned *version, struct cookie_secrets *own)
{
    cookie_keep_follow(f->site->keep, version, own);
    unsigned seen = version_of(own);
    f->wrong += seen == NEVER || seen < f->newest;
    f->newest = seen;
}

static void *follower_run(void *context)
{
    struct follower *f = context;
    struct cookie_secrets own = {.count = 0};
    unsigned version = 0;
    while (!atomic_load(&f->site->stop)) {
        follow(f, &version, &own);
        atomic_fetch_add(&f->site->rounds, 1);
        sched_yield(); /* others want the processor, too */
    }
    follow(f, &version, &own);
    return NULL;
}

START_TEST(test_threads_follow)
{
    struct site s;
    struct follower followers[THREADS];
    site_open(&s);
    secrets_put(&s, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        followers[i] = (struct follower){.site = &s};
        ck_assert_int_eq(pthread_create(&followers[i].thread, NULL, follower_run, &followers[i]),
                         0);
    }
    while (!atomic_load(&s.rounds))
        sched_yield();
    for (unsigned v = 2; v <= VERSIONS; v++)
        secrets_put(&s, v);
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(followers[i].thread, NULL);
        ck_assert_uint_eq(followers[i].wrong, 0);
        ck_assert_uint_eq(followers[i].newest, VERSIONS);
    }
    site_close(&s);
}
END_TEST

/* L1: what cannot be read takes away nothing. */
START_TEST(test_bad_file_changes_nothing)
{
    struct site s;
    struct cookie_secrets own = {.count = 0};
    unsigned version = 0;
    site_open(&s);
    cookie_keep_look(s.keep);
    cookie_keep_follow(s.keep, &version, &own);
    ck_assert_uint_eq(own.count, 0); /* there is no file yet */
    secrets_put(&s, 7);
    cookie_keep_follow(s.keep, &version, &own);
    ck_assert_uint_eq(version_of(&own), 7);
    text_put(&s, "0011\n");
    text_put(&s, "");
    cookie_keep_follow(s.keep, &version, &own);
    ck_assert_uint_eq(version_of(&own), 7);
    secrets_put(&s, 8);
    cookie_keep_follow(s.keep, &version, &own);
    ck_assert_uint_eq(version_of(&own), 8);
    site_close(&s);
}
END_TEST

CHECK_MAIN("cookie_keep", test_threads_follow, test_bad_file_changes_nothing)
