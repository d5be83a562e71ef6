/* A node's own key on disk, and the secret that is wrapped for it. */
#include "base/err.h"
#include "model/seal_io.h"
#include "test/check_main.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

START_TEST(test_key)
{
    char folder[] = "/tmp/seal-XXXXXX", path[64];
    uint8_t made[SEAL_KEY_SIZE], read[SEAL_KEY_SIZE], secret[SEAL_KEY_SIZE], got[SEAL_KEY_SIZE];
    struct text why = text_init(1 << 12);
    struct stat st;
    struct seal seal = {.count = 1, .members[0].node = "n1"};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/seal.key", folder);
    ck_assert_int_eq(seal_key_load(folder, read, &why), -ENOENT);
    ck_assert_int_eq(seal_key_make(folder, made), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(seal_key_load(folder, read, &why), 0);
    ck_assert_mem_eq(made, read, sizeof made);
    /* what is wrapped for it */
    ck_assert_int_eq(seal_secret(folder, NULL, got, &why), ERR_MISSING);
    seal_public(made, seal.members[0].key);
    char *text = seal_encode(&seal);
    ck_assert_int_eq(seal_secret(folder, text, got, &why), ERR_MISSING);
    free(text);
    seal_draw(secret);
    seal_draw(read);
    seal.members[0].has_wrap = true;
    ck_assert_int_eq(seal_wrap(seal.members[0].key, read, secret, seal.members[0].wrap), 0);
    text = seal_encode(&seal);
    ck_assert_int_eq(seal_secret(folder, text, got, &why), 0);
    ck_assert_mem_eq(got, secret, sizeof got);
    free(text);
    seal.members[0].wrap[40] ^= 1;
    text = seal_encode(&seal);
    ck_assert_int_eq(seal_secret(folder, text, got, &why), ERR_CHECKSUM);
    free(text);
    /* others may read it: it is no secret any more */
    ck_assert_int_eq(chmod(path, 0640), 0);
    ck_assert_int_eq(seal_key_load(folder, read, &why), ERR_REFUSED);
    ck_assert_int_eq(unlink(path), 0);
    FILE *f = fopen(path, "w");
    fputs("not a key", f);
    fclose(f);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert_int_eq(seal_key_load(folder, read, &why), ERR_SYNTAX);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
    text_done(&why);
}
END_TEST

CHECK_MAIN("seal_io", test_key)
