/* Zones that come signed: what a signer made is served as it is; what is wrong with it is said and
 * refuses nothing. */
#include "base/memory.h"
#include "model/zone_dump.h"
#include "model/zone_sign_rig.h"
#include "model/zone_walk.h"
#include "test/check_main.h"
#include "wire/dnskey.h"

static struct fixture given_open(const char *text, struct text *problems)
{
    struct fixture f;
    int err = zone_compile("example", "z", text, strlen(text), NULL, 0, NULL, NULL, problems,
                           &f.data, &f.size);
    ck_assert_msg(err == 0, "%s", text_string(problems));
    ck_assert_int_eq(zone_open(f.data, f.size, &f.zone), 0);
    return f;
}

/* The text of a zone signed here, as another signer would give it. */
static struct text signed_text(bool nsec3)
{
    struct text dump = text_init(1 << 20);
    struct rig r;
    rig_open(&r, "example", rfc4035, nsec3);
    zone_dump(&r.f.zone, &dump);
    rig_done(&r);
    return dump;
}

/* Leaves the first line away that begins and goes on like this. */
static void line_remove(struct text *text, const char *start, const char *holds)
{
    struct text out = text_init(1 << 20);
    bool removed = false;
    for (const char *at = text_string(text); *at;) {
        size_t length = strcspn(at, "\n") + 1;
        char *line = mem_new(length + 1, 1);
        memcpy(line, at, length);
        if (!removed && !strncmp(line, start, strlen(start)) && strstr(line, holds))
            removed = true;
        else
            text_append(&out, line);
        free(line);
        at += length;
    }
    ck_assert_msg(removed, "no %s %s", start, holds);
    text_done(text);
    *text = out;
}

START_TEST(test_as_it_came)
{
    for (int nsec3 = 0; nsec3 < 2; nsec3++) {
        struct text text = signed_text(nsec3), again = text_init(1 << 20);
        struct text problems = text_init(1 << 16);
        struct fixture f = given_open(text_string(&text), &problems);
        ck_assert_str_eq(text_string(&problems), "");
        ck_assert_uint_eq(f.zone.header->flags & (ZONE_SIGNED | ZONE_GIVEN | ZONE_NSEC3),
                          ZONE_SIGNED | ZONE_GIVEN | (nsec3 ? ZONE_NSEC3 : 0));
        zone_dump(&f.zone, &again);
        ck_assert_str_eq(text_string(&again), text_string(&text));
        fixture_done(&f);
        text_done(&text);
        text_done(&again);
        text_done(&problems);
    }
}
END_TEST

/* Each thing left away is told once, the rest keeps its signatures, and what is there opens. */
START_TEST(test_what_is_missing)
{
    static const struct {
        int nsec3;
        const char *start, *holds, *problem;
    } cases[] = {
        {0, "ai.example.", "RRSIG A ",
         "z:20:1: the zone came signed, but records have no signature by a key of the zone: "
         "ai.example\n"},
        {0, "ai.example.", " A 192.",
         "signatures of what is not there are left away: ai.example\n"},
        {0, "ns1.example.", " NSEC ",
         "what proves names and types is missing or wrong: ns1.example"},
        {0, "example.", " NSEC ", "what proves names and types is missing or wrong: example\n"},
        {0, "x.w.example.", " MX ", "what proves names and types is missing or wrong: x.w.example"},
        {0, "example.", " DNSKEY ", NULL},
        {1, "ns1.example.", "RRSIG A ", "no signature by a key of the zone: ns1.example\n"},
        {1, "example.", " NSEC3PARAM ", "NSEC3 records of no whole chain are left away"},
    };
    for (unsigned i = 0; i < array_length(cases); i++) {
        struct text text = signed_text(cases[i].nsec3), problems = text_init(1 << 16);
        line_remove(&text, cases[i].start, cases[i].holds);
        struct fixture f = given_open(text_string(&text), &problems);
        ck_assert_int_eq((f.zone.header->flags & ZONE_GIVEN) != 0, cases[i].problem != NULL);
        ck_assert_msg(strstr(text_string(&problems), cases[i].problem ? cases[i].problem : "") !=
                          NULL,
                      "%u: %s", i, text_string(&problems));
        fixture_done(&f);
        text_done(&text);
        text_done(&problems);
    }
}
END_TEST

/* A hash that no name has, a name whose hash is gone, a ring that does not close. */
START_TEST(test_broken_ring)
{
    for (unsigned nth = 0; nth < 3; nth++) {
        struct text text = signed_text(true), problems = text_init(1 << 16);
        const char *at = text_string(&text);
        for (unsigned i = 0; i <= nth; i++)
            at = strstr(at, " IN NSEC3 ") + 1;
        char owner[64] = {0};
        while (at[-1] != '\n')
            at--;
        memcpy(owner, at, 33);
        line_remove(&text, owner, " IN NSEC3 ");
        struct fixture f = given_open(text_string(&text), &problems);
        ck_assert_ptr_nonnull(strstr(text_string(&problems), "missing or wrong"));
        ck_assert_ptr_nonnull(strstr(text_string(&problems), "and 1 more"));
        ck_assert(f.zone.header->flags & ZONE_NSEC3);
        fixture_done(&f);
        text_done(&text);
        text_done(&problems);
    }
}
END_TEST

/* Salt and iterations as given: RFC 5155 A's own zone has the hashes of its appendix. */
START_TEST(test_rfc5155_hashes)
{
    static const struct {
        const char *name, *label;
    } cases[] = {{"\7example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
                 {"\1a\7example", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
                 {"\3ns1\7example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
                 {"\1*\1w\7example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"}};
    static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
    for (unsigned i = 0; i < array_length(cases); i++) {
        uint8_t hash[NSEC3_HASH_SIZE], label[NSEC3_LABEL_SIZE], back[NSEC3_HASH_SIZE];
        const uint8_t *name = (const uint8_t *)cases[i].name;
        nsec3_hash_salted(name, dname_length(name), 12, salt, sizeof salt, hash);
        nsec3_label(hash, label);
        ck_assert_mem_eq(label + 1, cases[i].label, NSEC3_LABEL_SIZE - 1);
        ck_assert(nsec3_label_read(label, back));
        ck_assert_mem_eq(back, hash, sizeof hash);
        label[7] = 'w';
        ck_assert(!nsec3_label_read(label, back));
    }
}
END_TEST

/* A service's answers would be bogus among signed ones. */
START_TEST(test_no_service)
{
    static const uint8_t api[] = "\3api\7example";
    const uint8_t *names[] = {api};
    struct text text = signed_text(false), problems = text_init(1 << 16);
    uint8_t *data;
    size_t size;
    ck_assert_int_eq(zone_compile("example", "z", text_string(&text), text.length, names, 1, NULL,
                                  NULL, &problems, &data, &size),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(text_string(&problems), "no service can be in it"));
    text_done(&text);
    text_done(&problems);
}
END_TEST

/* Many keys: a signature by any of them counts, one that shares a tag with none does not. */
START_TEST(test_by_which_key)
{
    enum { KEYS = 50 };
    struct text text = text_init(1 << 16), problems = text_init(1 << 16);
    unsigned unused = 0;
    bool used[UINT16_MAX + 1] = {false};
    text_append(&text, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\na 60 A 192.0.2.1\n"
                       "@ 60 RRSIG SOA 13 1 60 20300101000000 20200101000000 1 example. AAAA\n");
    for (unsigned i = 0; i < KEYS; i++) {
        /* in canonical order their tags fall */
        uint8_t key[] = {1, 0, 3, 13, (uint8_t)i, 0, (uint8_t)(2 * (KEYS - i)), 7};
        uint16_t tag = dnskey_tag(key, sizeof key);
        used[tag] = true;
        text_appendf(&text, "@ 60 DNSKEY \\# %zu 0100030d%02x00%02x07\n", sizeof key, key[4],
                     key[6]);
        text_appendf(&text,
                     "n%u 60 A 192.0.2.1\nn%u 60 RRSIG A 13 2 60 20300101000000 "
                     "20200101000000 %u example. AAAA\n",
                     i, i, tag);
    }
    while (used[unused])
        unused++;
    text_appendf(&text,
                 "x 60 A 192.0.2.1\nx 60 RRSIG A 13 2 60 20300101000000 20200101000000 %u "
                 "example. AAAA\n",
                 unused);
    struct fixture f = given_open(text_string(&text), &problems);
    /* a, x, and at the apex SOA, NS and DNSKEY */
    ck_assert_msg(
        strstr(text_string(&problems), "no signature by a key of the zone: example and 4 more"),
        "%s", text_string(&problems));
    fixture_done(&f);
    text_done(&text);
    text_done(&problems);
}
END_TEST

CHECK_MAIN("zone_given", test_as_it_came, test_what_is_missing, test_broken_ring, test_by_which_key,
           test_rfc5155_hashes, test_no_service)
