#include "base/err.h"
#include "model/dnssec_keys_io.h"
#include "test/check_main.h"
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START = 1767225600, HOUR = 3600 };

static char folder[] = "/tmp/dnssec_keys_io_test.XXXXXX";
static struct config_zone zone = {.name = "example.com",
                                  .file = "example.com.zone",
                                  .dnssec = {.on = true,
                                             .algorithm = 13,
                                             .lifetime = 14 * USEC_PER_DAY,
                                             .refresh = 3 * USEC_PER_DAY,
                                             .dnskey_ttl = USEC_PER_HOUR,
                                             .ds_ttl = USEC_PER_DAY}};

static int load(int64_t wall, bool served_signed, struct dnssec_keyring **ret, const char *said)
{
    struct text problems = text_init(1 << 16);
    struct dnssec_keys_request q = {folder, &zone, wall, served_signed};
    int err = dnssec_keys_load(&q, &problems, ret);
    ck_assert_msg(said ? strstr(text_string(&problems), said) != NULL : problems.length == 0, "%s",
                  text_string(&problems));
    text_done(&problems);
    return err;
}

static int order(int64_t wall, enum dnssec_order what, const char *said)
{
    struct text out = text_init(1 << 16);
    struct dnssec_keys_request q = {folder, &zone, wall, true};
    int err = dnssec_keys_order(&q, what, KEY_CSK, &out);
    ck_assert_msg(strstr(text_string(&out), said) != NULL, "%s", text_string(&out));
    text_done(&out);
    return err;
}

static unsigned keys_count(char first[static 512])
{
    char pattern[600];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/keys/example.com/*.pem", folder);
    if (glob(pattern, 0, NULL, &found))
        return 0;
    unsigned count = (unsigned)found.gl_pathc;
    snprintf(first, 512, "%s", found.gl_pathv[0]);
    globfree(&found);
    return count;
}

static int file_remove(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

static void folder_remove(void)
{
    nftw(folder, file_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

START_TEST(test_first_use)
{
    struct dnssec_keyring *a, *b;
    struct stat st;
    char path[512];
    begin();
    ck_assert_int_eq(load(START, false, &a, NULL), 0);
    ck_assert_uint_eq(a->keys.published_count, 1);
    ck_assert_uint_eq(a->keys.zone_signer_count, 1);
    ck_assert_uint_eq(a->keys.delegated_count, 0);
    ck_assert_uint_eq(a->keys.lifetime, 14 * 86400);
    ck_assert_uint_eq(keys_count(path), 1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    *strrchr(path, '/') = 0;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0700);
    /* not committed: the clock does not run, and the same key is found again */
    ck_assert_int_eq(load(START + 50 * HOUR, true, &b, NULL), 0);
    ck_assert_uint_eq(b->state.keys[0].tag, a->state.keys[0].tag);
    ck_assert_int_eq(b->state.keys[0].published, START + 50 * HOUR);
    ck_assert_int_eq(dnssec_keyring_commit(b, 300), 0);
    dnssec_keyring_unref(a);
    dnssec_keyring_unref(b);
    ck_assert_int_eq(load(START + 51 * HOUR, true, &a, NULL), 0);
    ck_assert_int_eq(a->state.keys[0].published, START + 50 * HOUR);
    ck_assert_uint_eq(a->keys.delegated_count, 1);
    dnssec_keyring_unref(a);
    folder_remove();
}
END_TEST

START_TEST(test_roll_removes_the_old_file)
{
    struct dnssec_keyring *r;
    char path[512], old[512];
    int64_t t = START;
    begin();
    ck_assert_int_eq(load(t, false, &r, NULL), 0);
    ck_assert_int_eq(dnssec_keyring_commit(r, 300), 0);
    dnssec_keyring_unref(r);
    keys_count(old);
    ck_assert_int_eq(order(t += 2 * HOUR, DNSSEC_DS_SEEN, "noted"), 0);
    ck_assert_int_eq(order(t, DNSSEC_ROLL, "rolled"), 0);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_int_eq(load(t, true, &r, NULL), 0);
        ck_assert_int_eq(dnssec_keyring_commit(r, 300), 0);
        ck_assert_uint_eq(r->keys.zone_signer_count, 1);
        if (i == 0) {
            ck_assert_uint_eq(r->keys.published_count, 2);
            ck_assert_int_eq(order(t, DNSSEC_DS_SEEN, "noted"), 0);
        } else if (i == 1) {
            ck_assert_int_eq(order(t, DNSSEC_DS_GONE, "noted"), 0);
        }
        dnssec_keyring_unref(r);
        t += 25 * HOUR;
    }
    ck_assert_uint_eq(keys_count(path), 1);
    ck_assert_str_ne(path, old);
    ck_assert_int_eq(order(t, DNSSEC_STATUS, "its DS is at the parent"), 0);
    folder_remove();
}
END_TEST

START_TEST(test_wide_permissions)
{
    struct dnssec_keyring *r;
    char path[512];
    begin();
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    dnssec_keyring_unref(r);
    keys_count(path);
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(load(START, false, &r, "chmod 0600"), ERR_REFUSED);
    ck_assert_int_eq(chmod(path, 0600), 0);
    *strrchr(path, '/') = 0;
    ck_assert_int_eq(chmod(path, 0755), 0);
    ck_assert_int_eq(load(START, false, &r, "chmod 0700"), ERR_REFUSED);
    folder_remove();
}
END_TEST

START_TEST(test_lost)
{
    struct dnssec_keyring *r;
    char path[512], state[600];
    begin();
    /* L3: lost keys are never replaced under a zone that is served signed */
    ck_assert_int_eq(load(START, true, &r, "restore them from a backup"), ERR_MISSING);
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    dnssec_keyring_unref(r);
    keys_count(path);
    snprintf(state, sizeof state, "%s/keys/example.com/state.json", folder);
    FILE *f = fopen(path, "w");
    fputs("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", f);
    fclose(f);
    ck_assert_int_lt(load(START, true, &r, "is not the private key"), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_lt(load(START, true, &r, "restore the key from a backup"), 0);
    f = fopen(path, "w");
    fclose(f);
    ck_assert_int_eq(unlink(state), 0);
    ck_assert_int_eq(load(START, false, &r, "no state.json"), ERR_MISSING);
    f = fopen(state, "w");
    fputs("{", f);
    fclose(f);
    ck_assert_int_eq(load(START, false, &r, "cannot be used"), ERR_SYNTAX);
    folder_remove();
}
END_TEST

START_TEST(test_off)
{
    struct dnssec_keyring *r;
    begin();
    zone.dnssec.on = false;
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    ck_assert_ptr_null(r);
    zone.dnssec.on = true;
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    ck_assert_int_eq(dnssec_keyring_commit(r, 300), 0);
    dnssec_keyring_unref(r);
    zone.dnssec.on = false; /* L3: signed until the operator has told that the DS is gone */
    ck_assert_int_eq(load(START + HOUR, true, &r, "goes on being signed"), 0);
    ck_assert_ptr_nonnull(r);
    dnssec_keyring_unref(r);
    zone.dnssec.on = true;
    ck_assert_int_eq(order(START + HOUR, DNSSEC_UNSIGN, "dnssec to off"), ERR_CONFLICT);
    zone.dnssec.on = false;
    ck_assert_int_eq(order(START + HOUR, DNSSEC_UNSIGN, "noted"), 0);
    ck_assert_int_eq(load(START + 24 * HOUR, true, &r, NULL), 0);
    ck_assert_ptr_nonnull(r);
    ck_assert(r->keys.delete_delegation);
    ck_assert_int_eq(r->next_event, START + 25 * HOUR);
    dnssec_keyring_unref(r);
    ck_assert_int_eq(load(START + 25 * HOUR, true, &r, NULL), 0);
    ck_assert_ptr_null(r);
    folder_remove();
}
END_TEST

START_TEST(test_names_stay_inside)
{
    struct dnssec_keyring *r;
    char path[256];
    begin();
    zone.name = "..";
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    dnssec_keyring_unref(r);
    zone.name = "0/25.2.0.192.in-addr.arpa";
    ck_assert_int_eq(load(START, false, &r, NULL), 0);
    dnssec_keyring_unref(r);
    snprintf(path, sizeof path, "%s/keys/0%%2F25.2.0.192.in-addr.arpa/state.json", folder);
    ck_assert_int_eq(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/keys/%%2E./state.json", folder);
    ck_assert_int_eq(access(path, F_OK), 0);
    folder_remove();
}
END_TEST

/* Turning back from going unsigned is kept, so that what the operator says next is understood. */
START_TEST(test_on_again)
{
    struct dnssec_keyring *r;
    int64_t t = START;
    begin();
    ck_assert_int_eq(load(t, false, &r, NULL), 0);
    ck_assert_int_eq(dnssec_keyring_commit(r, 300), 0);
    dnssec_keyring_unref(r);
    ck_assert_int_eq(order(t += 2 * HOUR, DNSSEC_DS_SEEN, "noted"), 0);
    zone.dnssec.on = false;
    ck_assert_int_eq(order(t, DNSSEC_UNSIGN, "asked to remove"), 0);
    ck_assert_int_eq(order(t, DNSSEC_ROLL, "on its way to be unsigned"), ERR_CONFLICT);
    ck_assert_int_eq(order(t, DNSSEC_DS_GONE, "noted"), 0);
    zone.dnssec.on = true;
    ck_assert_int_eq(load(t, true, &r, NULL), 0);
    ck_assert_uint_eq(r->keys.delegated_count, 1);
    ck_assert_int_eq(dnssec_keyring_commit(r, 300), 0);
    dnssec_keyring_unref(r);
    ck_assert_int_eq(order(t, DNSSEC_DS_SEEN, "noted"), 0);
    folder_remove();
}
END_TEST

CHECK_MAIN("dnssec_keys_io", test_first_use, test_roll_removes_the_old_file, test_wide_permissions,
           test_lost, test_off, test_on_again, test_names_stay_inside)
