#include "command/update_fixture.h"
#include "command/update_rule.h"
#include "test/check_main.h"
#include <stdlib.h>

#define ZONE                           \
    HELD_ZONE "alias 300 CNAME www\n"  \
              "*.wild 300 TXT \"w\"\n" \
              "two 300 A 192.0.2.1\ntwo 300 A 192.0.2.2\ntwo 300 AAAA 2001:db8::1\n"

/* A zone, one key with one rule, and what the newest message made of it. */
static struct held_content *content;
static struct config_update_rule rule;
static struct config_zone zone;
static struct update_result result;
static const uint8_t *steered[1];
static unsigned steered_count;
static enum serial_policy policy;
static uint8_t key_name[] = "\4host\7example\3com";

static void start(void)
{
    struct held_list l = {0};
    held_list_lines(&l, ZONE);
    ck_assert_int_eq(held_content_new(held_origin, held_list_cursor(&l), &content), 0);
    held_list_done(&l);
    static uint16_t all[] = {DNS_A,   DNS_AAAA, DNS_TXT,   DNS_CNAME,  DNS_MX,   DNS_NS,
                             DNS_SOA, DNS_SRV,  DNS_DNAME, DNS_DNSKEY, DNS_RRSIG};
    rule = (struct config_update_rule){.types = all, .type_count = array_length(all)};
    zone = (struct config_zone){.name = "example.com"};
    policy = SERIAL_INCREMENT;
    zone.update.rules = &rule;
    zone.update.rule_count = 1;
    steered_count = 0;
    result = (struct update_result){0};
}

static unsigned run_wire(const uint8_t *wire, size_t length)
{
    struct update_request r = {.wire = wire,
                               .length = length,
                               .zone = &zone,
                               .content = content,
                               .key = 0,
                               .key_name = key_name,
                               .steered = steered,
                               .steered_count = steered_count,
                               .policy = policy,
                               .wall = 1767225600};
    held_change_done(&result.change);
    update_run(&r, &result);
    return result.rcode;
}

/* The rcode; a change is made. */
static unsigned run(const char *prerequisites, const char *updates)
{
    static struct update_message m;
    update_message(&m, prerequisites, updates);
    unsigned rcode = run_wire(m.bytes, m.length);
    if (result.changed)
        ck_assert_int_eq(held_change_apply(content, &result.change), 0);
    return rcode;
}

static void finish(void)
{
    held_change_done(&result.change);
    held_content_free(content);
}

/* The update is taken; `name` then has this many records, and the serial is so much higher. */
static void takes(const char *updates, const char *name, unsigned records, unsigned serials)
{
    uint8_t wire[DNAME_MAX];
    uint32_t before = content->serial;
    ck_assert_uint_eq(run("", updates), DNS_NOERROR);
    int length = dname_parse(name, strlen(name), held_origin, wire);
    const struct held_name *n = held_name_find(content, wire, (size_t)length);
    ck_assert_msg((n ? n->count : 0) == records, "%s: %u records", updates, n ? n->count : 0);
    ck_assert_uint_eq(content->serial - before, serials);
}

#define APEX "example.com."

/* Every row of RFC 2136 3.2. */
START_TEST(test_prerequisites)
{
    static const struct {
        const char *line;
        unsigned rcode;
    } rows[] = {
        {"www ANY 0 ANY\n", DNS_NOERROR},
        {"nobody ANY 0 ANY\n", DNS_NXDOMAIN},
        {"wild ANY 0 ANY\n", DNS_NXDOMAIN}, /* nothing but names below it */
        {"www ANY 0 A\n", DNS_NOERROR},
        {"www ANY 0 MX\n", DNS_NXRRSET},
        {"a.wild ANY 0 TXT\n", DNS_NXRRSET}, /* wildcards are names like others here */
        {"nobody NONE 0 ANY\n", DNS_NOERROR},
        {"www NONE 0 ANY\n", DNS_YXDOMAIN},
        {"www NONE 0 MX\n", DNS_NOERROR},
        {"www NONE 0 A\n", DNS_YXRRSET},
        {"www IN 0 A 192.0.2.2\nwww IN 0 A 192.0.2.1\n", DNS_NOERROR},
        {"www IN 0 A 192.0.2.2\nwww IN 0 A 192.0.2.1\nwww IN 0 A 192.0.2.1\n", DNS_NOERROR},
        {"www IN 0 A 192.0.2.1\n", DNS_NXRRSET},
        {"www IN 0 A 192.0.2.1\nwww IN 0 A 192.0.2.3\n", DNS_NXRRSET},
        {"www IN 0 A 192.0.2.1\nmail IN 0 MX 10 www\nwww IN 0 A 192.0.2.2\n", DNS_NOERROR},
        {"nobody IN 0 A 192.0.2.1\n", DNS_NXRRSET},
        {"example.net. ANY 0 ANY\n", DNS_NOTZONE},
        {"www ANY 1 ANY\n", DNS_FORMERR},
        {"www IN 1 A 192.0.2.1\n", DNS_FORMERR},
        {"www ANY 0 A 192.0.2.1\n", DNS_FORMERR},
        {"www NONE 0 A 192.0.2.1\n", DNS_FORMERR},
        {"www IN 0 ANY\n", DNS_FORMERR},
        {"www IN 0 A\n", DNS_FORMERR},
    };
    start();
    for (size_t i = 0; i < array_length(rows); i++) {
        ck_assert_msg(run(rows[i].line, "new IN 1 A 192.0.2.9\n") == rows[i].rcode, "%s: %d",
                      rows[i].line, result.rcode);
        ck_assert(result.changed == (rows[i].rcode == DNS_NOERROR));
        if (result.changed)
            ck_assert_uint_eq(run("", "new ANY 0 ANY\n"), DNS_NOERROR);
    }
    finish();
}
END_TEST

/* RFC 2136 3.4.1: all or nothing, whatever stands before. */
START_TEST(test_prescan)
{
    static const struct {
        const char *line;
        unsigned rcode;
    } rows[] = {
        {"example.net. IN 1 A 192.0.2.1\n", DNS_NOTZONE},
        {"www IN 1 ANY\n", DNS_FORMERR},
        {"www IN 1 A\n", DNS_FORMERR},
        {"www ANY 1 A\n", DNS_FORMERR},
        {"www ANY 0 A 192.0.2.1\n", DNS_FORMERR},
        {"www ANY 0 AXFR\n", DNS_FORMERR},
        {"www NONE 1 A 192.0.2.1\n", DNS_FORMERR},
        {"www NONE 0 ANY\n", DNS_FORMERR},
        {"www NONE 0 A\n", DNS_FORMERR},
    };
    char lines[200];
    start();
    for (size_t i = 0; i < array_length(rows); i++) {
        snprintf(lines, sizeof lines, "new IN 1 A 192.0.2.9\n%s", rows[i].line);
        ck_assert_msg(run("", lines) == rows[i].rcode, "%s: %d", rows[i].line, result.rcode);
        ck_assert(!result.changed);
    }
    ck_assert_uint_eq(content->serial, 1);
    finish();
}
END_TEST

/* RFC 2136 3.4.2. */
START_TEST(test_updates)
{
    start();
    takes("new IN 60 A 192.0.2.9\n", "new", 1, 1);
    takes("new IN 60 A 192.0.2.9\n", "new", 1, 0); /* there already */
    takes("new IN 90 A 192.0.2.9\n", "new", 1, 1); /* another TTL */
    takes("new IN 30 A 192.0.2.8\n", "new", 2, 1);
    ck_assert_uint_eq(result.removed, 1); /* the TTL of the set changes as one */
    ck_assert_uint_eq(result.added, 2);
    takes("new NONE 0 A 192.0.2.7\n", "new", 2, 0);
    takes("new NONE 0 A 192.0.2.8\n", "new", 1, 1);
    takes("two ANY 0 A\n", "two", 1, 1);
    takes("two ANY 0 ANY\n", "two", 0, 1);
    takes("two ANY 0 ANY\n", "two", 0, 0);
    /* as external-dns does: the set goes and comes, with one record that stays */
    takes("www ANY 0 A\nwww IN 300 A 192.0.2.1\nwww IN 300 A 192.0.2.5\n", "www", 3, 1);
    ck_assert_uint_eq(result.removed, 1);
    ck_assert_uint_eq(result.added, 1);
    takes("www ANY 0 A\nwww IN 300 A 192.0.2.1\nwww IN 300 A 192.0.2.5\n", "www", 3, 0);
    finish();
}
END_TEST

START_TEST(test_aliases)
{
    start();
    takes("alias IN 300 A 192.0.2.1\n", "alias", 1, 0); /* beside an alias: passed over */
    takes("www IN 300 CNAME two\n", "www", 3, 0);       /* an alias beside data: passed over */
    takes("alias IN 300 CNAME two\n", "alias", 1, 1);   /* replaces the other */
    takes("alias ANY 0 CNAME\nalias IN 300 A 192.0.2.1\n", "alias", 1, 1);
    takes("www ANY 0 ANY\nwww IN 300 CNAME two\n", "www", 1, 1);
    finish();
}
END_TEST

START_TEST(test_the_apex_stays)
{
    start();
    takes(APEX " ANY 0 ANY\n", APEX, 2, 0);
    takes(APEX " ANY 0 NS\n" APEX " ANY 0 SOA\n", APEX, 2, 0);
    takes(APEX " NONE 0 NS ns.example.net.\n", APEX, 2, 0); /* the last one */
    takes(APEX " IN 300 NS ns2.example.net.\n" APEX " NONE 0 NS ns.example.net.\n", APEX, 2, 1);
    takes(APEX " NONE 0 SOA ns hostmaster 2 2 3 4 300\n", APEX, 2, 0);
    takes(APEX " IN 300 TXT \"x\"\n", APEX, 3, 1);
    takes(APEX " ANY 0 ANY\n", APEX, 2, 1);
    finish();
}
END_TEST

START_TEST(test_the_serial)
{
    start();
    takes(APEX " IN 60 SOA ns hostmaster 1 9 9 9 9\n", APEX, 2, 0); /* not newer */
    takes(APEX " IN 60 SOA ns hostmaster 20 9 9 9 9\n", APEX, 2, 19);
    takes(APEX " IN 60 SOA ns hostmaster 30 9 9 9 9\nnew IN 1 A 192.0.2.1\n", "new", 1, 10);
    policy = SERIAL_UNIXTIME;
    ck_assert_uint_eq(run("", "new IN 1 A 192.0.2.2\n"), DNS_NOERROR);
    ck_assert_uint_eq(content->serial, 1767225600);
    ck_assert_uint_eq(run("", "new IN 1 A 192.0.2.3\n"), DNS_NOERROR);
    ck_assert_uint_eq(content->serial, 1767225601);
    finish();
}
END_TEST

static unsigned tries(const char *updates)
{
    unsigned rcode = run("", updates);
    if (rcode == DNS_REFUSED) {
        ck_assert(!result.changed);
        ck_assert_ptr_nonnull(result.reason);
        ck_assert_uint_eq(result.ede, UPDATE_EDE_PROHIBITED);
    }
    return rcode;
}

START_TEST(test_what_no_rule_allows)
{
    start();
    ck_assert_uint_eq(
        tries("x IN 1 RRSIG A 8 2 300 20300101000000 20200101000000 1 example.com. AAAA\n"),
        DNS_REFUSED);
    ck_assert_uint_eq(tries("x IN 1 DNSKEY 257 3 13 AAAA\n"), DNS_NOERROR);
    zone.dnssec.on = true;
    ck_assert_uint_eq(tries("x IN 1 DNSKEY 257 3 13 AAAB\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("x IN 1 CAA 0 issue \"ca.example\"\n"), DNS_REFUSED);
    steered[0] = (const uint8_t *)"\3www\7example\3com";
    steered_count = 1;
    ck_assert_uint_eq(tries("www IN 1 A 192.0.2.8\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("www ANY 0 AAAA\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("www IN 1 TXT \"x\"\n"), DNS_NOERROR);
    struct held_change given = held_change_lines(
        content->serial, content->serial + 1, "",
        "@ 1 RRSIG SOA 8 2 300 20300101000000 20200101000000 1 example.com. AAAA\n");
    ck_assert_int_eq(held_change_apply(content, &given), 0);
    held_change_done(&given);
    zone.dnssec.on = false;
    ck_assert_uint_eq(tries("www IN 1 TXT \"y\"\n"), DNS_REFUSED);
    zone.dnssec.on = true;
    ck_assert_uint_eq(tries("www IN 1 TXT \"y\"\n"), DNS_NOERROR);
    rule.key = 1;
    ck_assert_uint_eq(tries("new IN 1 A 192.0.2.8\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("example.net. IN 1 A 192.0.2.8\n"),
                      DNS_REFUSED); /* not even looked at */
    finish();
}
END_TEST

START_TEST(test_types_and_names_of_rules)
{
    struct config_update_name self[] = {{.kind = UPDATE_NAME_SELF},
                                        {.kind = UPDATE_NAME_BELOW_SELF}};
    struct config_update_name dyn = {.pattern = (const uint8_t *)"\1*\3dyn"};
    start();
    rule.type_count = 0; /* all but what makes the zone what it is */
    ck_assert_uint_eq(tries("a IN 1 A 192.0.2.8\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("a ANY 0 ANY\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("sub IN 1 NS ns.example.net.\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("sub IN 1 DS 1 13 5 "
                            "0011223344556677001122334455667700112233445566770011223344556677\n"),
                      DNS_REFUSED);
    ck_assert_uint_eq(tries("@ IN 1 SOA ns h 99 1 1 1 1\n"), DNS_REFUSED);
    rule.names = &dyn;
    rule.name_count = 1;
    ck_assert_uint_eq(tries("a.dyn IN 1 A 192.0.2.8\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("a.b.dyn IN 1 A 192.0.2.8\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("a.b.dyn ANY 0 ANY\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("dyn IN 1 A 192.0.2.8\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("www ANY 0 ANY\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("a.dyn IN 1 A 192.0.2.8\nwww IN 1 A 192.0.2.8\n"), DNS_REFUSED);
    rule.names = self;
    ck_assert_uint_eq(tries("host IN 1 A 192.0.2.8\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("a.host IN 1 A 192.0.2.8\n"), DNS_REFUSED);
    rule.names = self + 1;
    ck_assert_uint_eq(tries("a.host IN 1 A 192.0.2.8\n"), DNS_NOERROR);
    ck_assert_uint_eq(tries("host IN 1 A 192.0.2.9\n"), DNS_REFUSED);
    finish();
}
END_TEST

/* A deletion of all of a name asks for each of its types. */
START_TEST(test_a_name_with_a_type_that_is_not_allowed)
{
    static uint16_t a[] = {DNS_A};
    start();
    rule.types = a;
    rule.type_count = 1;
    ck_assert_uint_eq(tries("www ANY 0 ANY\n"), DNS_REFUSED);
    ck_assert_uint_eq(tries("www ANY 0 A\n"), DNS_NOERROR);
    finish();
}
END_TEST

START_TEST(test_patterns)
{
    static const struct {
        const char *pattern, *name;
        bool fits;
    } rows[] = {
        {"\3www", "\3www", true},
        {"\3www", "\4www2", false},
        {"\3www", "\1a\3www", false},
        {"\3www", "", false},
        {"", "", true},
        {"", "\1a", false},
        {"\1*", "", true},
        {"\1*", "\1a\1b", true},
        {"\1*\3dyn", "\1a\3dyn", true},
        {"\1*\3dyn", "\1a\1b\3dyn", true},
        {"\1*\3dyn", "\3dyn", false},
        {"\1*\3dyn", "\1*\3dyn", true},
        {"\4acme\1*", "\4acme", true},
        {"\4acme\1*", "\4acme\1a\1b", true},
        {"\4acme\1*", "\1a\4acme", false},
        {"\1*\1a\1*", "\1b\1a", true},
        {"\1*\1a\1*", "\1a\1a", true},
        {"\1*\1a\1*", "\1a\1b", false},
    };
    for (size_t i = 0; i < array_length(rows); i++)
        ck_assert_msg(update_name_matches((const uint8_t *)rows[i].pattern,
                                          (const uint8_t *)rows[i].name,
                                          strlen(rows[i].name)) == rows[i].fits,
                      "row %zu", i);
}
END_TEST

/* L3: a third of the zone at once needs a rule that says so. */
START_TEST(test_shrinking)
{
    enum { NAMES = 90 };
    static char lines[NAMES * 40], fewer[NAMES * 40];
    size_t at = 0, less = 0;
    start();
    for (unsigned i = 0; i < NAMES; i++)
        at += (size_t)snprintf(lines + at, sizeof lines - at, "n%u IN 1 A 192.0.2.1\n", i);
    ck_assert_uint_eq(run("", lines), DNS_NOERROR);
    for (unsigned i = 0; i < NAMES / 2; i++)
        less += (size_t)snprintf(fewer + less, sizeof fewer - less, "n%u ANY 0 ANY\n", i);
    ck_assert_uint_eq(tries(fewer), DNS_REFUSED);
    rule.shrink = true;
    ck_assert_uint_eq(tries(fewer), DNS_NOERROR);
    rule.shrink = false;
    ck_assert_uint_eq(tries("n80 ANY 0 ANY\nn81 ANY 0 ANY\n"), DNS_NOERROR);
    finish();
}
END_TEST

/* Cut off anywhere it is an error, and nothing is read that is not there. */
START_TEST(test_messages_cut_anywhere)
{
    static struct update_message m;
    start();
    update_message(&m, "www ANY 0 A\n", "new IN 60 MX 10 mail\nwww ANY 0 TXT\n");
    for (size_t n = 0; n < m.length; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, m.bytes, n);
        ck_assert_uint_eq(run_wire(copy, n), DNS_FORMERR);
        free(copy);
    }
    ck_assert_uint_eq(run_wire(m.bytes, m.length), DNS_NOERROR);
    finish();
}
END_TEST

START_TEST(test_zone_section)
{
    static struct update_message m;
    uint8_t name[DNAME_MAX];
    uint16_t class;
    update_message(&m, "", "");
    m.bytes[13] = 'E';
    ck_assert_int_eq(update_zone_name(m.bytes, m.length, name, &class), 0);
    ck_assert_mem_eq(name, held_origin, sizeof held_origin);
    ck_assert_uint_eq(class, DNS_IN);
    m.bytes[m.length - 3] = DNS_A;
    ck_assert_int_eq(update_zone_name(m.bytes, m.length, name, &class), ERR_SYNTAX);
    m.bytes[5] = 2;
    ck_assert_int_eq(update_zone_name(m.bytes, m.length, name, &class), ERR_SYNTAX);
    m.bytes[5] = 0;
    ck_assert_int_eq(update_zone_name(m.bytes, m.length, name, &class), ERR_SYNTAX);
}
END_TEST

CHECK_MAIN("update", test_prerequisites, test_prescan, test_updates, test_aliases,
           test_the_apex_stays, test_the_serial, test_what_no_rule_allows,
           test_types_and_names_of_rules, test_a_name_with_a_type_that_is_not_allowed,
           test_patterns, test_shrinking, test_messages_cut_anywhere, test_zone_section)
