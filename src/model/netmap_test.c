#include "model/netmap.h"

#include "base/err.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/netmap_format.h"
#include "test/check_main.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

struct built {
    uint8_t *data;
    size_t size;
    struct netmap map;
};

static struct built finish(struct netmap_builder *b)
{
    struct built built;
    built.data = netmap_builder_finish(b, &built.size);
    ck_assert_int_eq(netmap_open(built.data, built.size, &built.map), 0);
    netmap_builder_free(b);
    return built;
}

static struct ip_prefix prefix(const char *text)
{
    struct ip_prefix p;
    ck_assert_msg(ip_prefix_parse(text, &p) == 0, "%s", text);
    return p;
}

static void add(struct netmap_builder *b, const char *text, uint32_t key)
{
    struct ip_prefix p = prefix(text);
    netmap_builder_add(b, &p, key);
}

/* The keys of an address as "3 1 /24", or "- /9" without a row. */
static const char *look(const struct netmap *m, const char *address)
{
    static char out[200];
    struct ip ip;
    unsigned scope;
    ck_assert_int_eq(ip_parse(address, &ip), 0);
    uint32_t row = netmap_find(m, &ip, &scope), count = 0;
    size_t at = 0;
    const uint32_t *keys = row == NETMAP_NO_ROW ? NULL : netmap_keys(m, row, &count);
    for (uint32_t i = 0; i < count; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%u ", keys[i]);
    snprintf(out + at, sizeof out - at, "%s/%u", count ? "" : "- ", scope);
    return out;
}

START_TEST(an_empty_map_knows_nobody)
{
    struct built b = finish(netmap_builder_new());
    ck_assert_str_eq(look(&b.map, "192.0.2.1"), "- /0");
    ck_assert_str_eq(look(&b.map, "2001:db8::1"), "- /0");
    ck_assert_uint_eq(b.map.row_count, 0);
    free(b.data);
}
END_TEST

START_TEST(prefixes_nest)
{
    struct netmap_builder *n = netmap_builder_new();
    add(n, "10.1.0.0/16", 2);
    add(n, "10.0.0.0/8", 1);
    add(n, "10.1.2.3/32", 3);
    add(n, "255.255.255.0/24", 4);
    add(n, "2001:db8::/32", 1);
    add(n, "2001:db8:8000::/33", 9);
    struct built b = finish(n);
    ck_assert_str_eq(look(&b.map, "10.1.2.3"), "3 2 1 /32");
    ck_assert_str_eq(look(&b.map, "10.1.2.2"), "2 1 /32");
    ck_assert_str_eq(look(&b.map, "10.1.2.4"), "2 1 /30");
    ck_assert_str_eq(look(&b.map, "10.1.128.0"), "2 1 /17");
    ck_assert_str_eq(look(&b.map, "10.0.0.0"), "1 /16");
    ck_assert_str_eq(look(&b.map, "10.255.255.255"), "1 /9");
    ck_assert_str_eq(look(&b.map, "9.255.255.255"), "- /7"); /* 8.0.0.0/7 has no row */
    ck_assert_str_eq(look(&b.map, "11.0.0.0"), "- /8");
    ck_assert_str_eq(look(&b.map, "255.255.255.255"), "4 /24");
    ck_assert_str_eq(look(&b.map, "2001:db8::1"), "1 /33");
    ck_assert_str_eq(look(&b.map, "2001:db8:ffff::1"), "9 1 /33");
    ck_assert_str_eq(look(&b.map, "::"), "- /3");
    ck_assert_str_eq(look(&b.map, "ffff::"), "- /1");
    free(b.data);
}
END_TEST

START_TEST(the_whole_space_can_be_one_prefix)
{
    struct netmap_builder *n = netmap_builder_new();
    add(n, "0.0.0.0/0", 5);
    add(n, "::/0", 6);
    add(n, "::1/128", 7);
    add(n, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 8);
    struct built b = finish(n);
    ck_assert_str_eq(look(&b.map, "0.0.0.0"), "5 /0");
    ck_assert_str_eq(look(&b.map, "255.255.255.255"), "5 /0");
    ck_assert_str_eq(look(&b.map, "::1"), "7 6 /128");
    ck_assert_str_eq(look(&b.map, "::"), "6 /128");
    ck_assert_str_eq(look(&b.map, "8000::"), "6 /2");
    ck_assert_str_eq(look(&b.map, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), "8 6 /128");
    free(b.data);
}
END_TEST

START_TEST(equal_neighbours_become_one_range)
{
    struct netmap_builder *n = netmap_builder_new();
    add(n, "10.0.0.0/9", 1);
    add(n, "10.128.0.0/9", 1);
    add(n, "10.4.0.0/16", 1); /* says nothing new */
    struct built b = finish(n);
    ck_assert_str_eq(look(&b.map, "10.200.0.1"), "1 /8");
    ck_assert_str_eq(look(&b.map, "10.4.0.1"), "1 /8");
    ck_assert_uint_eq(b.map.v4_count, 3);
    ck_assert_uint_eq(b.map.row_count, 1);
    free(b.data);
}
END_TEST

START_TEST(keys_of_one_prefix_keep_their_order)
{
    struct netmap_builder *n = netmap_builder_new();
    add(n, "10.0.0.0/8", 3);
    add(n, "10.0.0.0/8", 1);
    add(n, "10.0.0.0/8", 3);
    add(n, "10.0.0.0/8", 2);
    struct built b = finish(n);
    ck_assert_str_eq(look(&b.map, "10.0.0.1"), "3 1 2 /8");
    free(b.data);
}
END_TEST

/* ---- the same by brute force ---- */

enum { PREFIXES_MAX = 60, CHAIN_MAX = PREFIXES_MAX };

struct naive {
    struct ip_prefix prefixes[PREFIXES_MAX];
    uint32_t keys[PREFIXES_MAX];
    unsigned count;
};

static unsigned naive_chain(const struct naive *n, const struct ip *ip, uint32_t ret[CHAIN_MAX])
{
    unsigned count = 0;
    for (int length = 128; length >= 0; length--) {
        for (unsigned i = 0; i < n->count; i++) {
            if (n->prefixes[i].length != length || n->prefixes[i].ip.family != ip->family ||
                !ip_prefix_contains(&n->prefixes[i], ip))
                continue;
            bool known = false;
            for (unsigned j = 0; j < count; j++)
                known = known || ret[j] == n->keys[i];
            if (!known)
                ret[count++] = n->keys[i];
        }
    }
    return count;
}

static void ip_next(struct ip *ip)
{
    for (size_t i = ip_size(ip); i-- > 0 && ++ip->bytes[i] == 0;)
        ;
}

/* Does every address of the block have the same keys? They change only at the start of a prefix and
 * after its end. */
static bool naive_uniform(const struct naive *n, const struct ip_prefix *block)
{
    uint32_t chain[CHAIN_MAX], other[CHAIN_MAX];
    unsigned count = naive_chain(n, &block->ip, chain);
    for (unsigned i = 0; i < 2 * n->count; i++) {
        const struct ip_prefix *p = &n->prefixes[i / 2];
        struct ip at = p->ip;
        if (i % 2) {
            for (unsigned bit = p->length; bit < ip_bits(&at); bit++)
                at.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
            ip_next(&at);
        }
        if (at.family != block->ip.family || !ip_prefix_contains(block, &at))
            continue;
        if (naive_chain(n, &at, other) != count || memcmp(chain, other, count * sizeof *chain) != 0)
            return false;
    }
    return true;
}

static struct ip random_ip(struct random *r, uint8_t family)
{
    struct ip ip = {.family = family};
    /* Few distinct bytes, so that prefixes and addresses meet. */
    for (size_t i = 0; i < ip_size(&ip); i++)
        ip.bytes[i] = (uint8_t[]){0, 0, 255, 128, 1}[random_below(r, 5)];
    if (random_below(r, 2))
        ip.bytes[ip_size(&ip) - 1] = (uint8_t)random_u64(r);
    return ip;
}

static void compare(const struct netmap *m, const struct naive *n, const struct ip *ip)
{
    uint32_t chain[CHAIN_MAX], count = 0;
    unsigned scope, expected = naive_chain(n, ip, chain);
    uint32_t row = netmap_find(m, ip, &scope);
    const uint32_t *keys = row == NETMAP_NO_ROW ? NULL : netmap_keys(m, row, &count);
    ck_assert_uint_eq(count, expected);
    if (count)
        ck_assert_mem_eq(keys, chain, count * sizeof *chain);
    ck_assert_uint_le(scope, ip_bits(ip));
    struct ip_prefix block = {.ip = ip_mask(ip, scope), .length = (uint8_t)scope};
    ck_assert(naive_uniform(n, &block));
    if (scope > 0) {
        block = (struct ip_prefix){.ip = ip_mask(ip, scope - 1), .length = (uint8_t)(scope - 1)};
        ck_assert(!naive_uniform(n, &block));
    }
}

START_TEST(random_prefixes_are_found_as_by_brute_force)
{
    struct random r = random_init(0x5eed);
    for (unsigned round = 0; round < 300; round++) {
        struct naive n = {.count = 1 + random_below(&r, PREFIXES_MAX)};
        struct netmap_builder *b = netmap_builder_new();
        for (unsigned i = 0; i < n.count; i++) {
            struct ip ip = random_ip(&r, (uint8_t)random_below(&r, 2));
            unsigned length = random_below(&r, ip_bits(&ip) + 1);
            n.prefixes[i] = (struct ip_prefix){ip_mask(&ip, length), (uint8_t)length};
            n.keys[i] = random_below(&r, 6);
            netmap_builder_add(b, &n.prefixes[i], n.keys[i]);
        }
        struct built built = finish(b);
        for (unsigned i = 0; i < 40; i++) {
            struct ip ip = random_ip(&r, (uint8_t)random_below(&r, 2));
            compare(&built.map, &n, &ip);
            compare(&built.map, &n, &n.prefixes[random_below(&r, n.count)].ip);
        }
        free(built.data);
    }
}
END_TEST

START_TEST(half_a_million_prefixes_are_built_in_about_a_second)
{
    struct random r = random_init(7);
    struct netmap_builder *b = netmap_builder_new();
    clock_t start = clock();
    for (unsigned i = 0; i < 500000; i++) {
        struct ip ip = {.family = (uint8_t)(i % 4 == 0)};
        for (size_t j = 0; j < ip_size(&ip); j++)
            ip.bytes[j] = (uint8_t)random_u64(&r);
        struct ip_prefix p = {.length = (uint8_t)(14 + random_below(&r, 11))};
        p.ip = ip_mask(&ip, p.length);
        netmap_builder_add(b, &p, random_below(&r, 300));
    }
    struct built built = finish(b);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("# 500,000 prefixes: %.2f s, %u + %u ranges, %u rows, %zu bytes\n", seconds,
           built.map.v4_count, built.map.v6_count, built.map.row_count, built.size);
    ck_assert_double_lt(seconds, 10); /* an order of magnitude for sanitizers and a busy machine */
    free(built.data);
}
END_TEST

/* ---- damaged files ---- */

static struct built sample(void)
{
    struct netmap_builder *n = netmap_builder_new();
    add(n, "10.0.0.0/8", 1);
    add(n, "10.1.0.0/16", 2);
    add(n, "2001:db8::/32", 3);
    return finish(n);
}

START_TEST(every_bit_flip_is_refused)
{
    struct built b = sample();
    struct netmap m;
    for (size_t i = 0; i < b.size * 8; i++) {
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
        ck_assert_int_lt(netmap_open(b.data, b.size, &m), 0);
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    ck_assert_int_eq(netmap_open(b.data, b.size, &m), 0);
    free(b.data);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    struct built b = sample();
    struct netmap m;
    for (size_t i = 0; i < b.size; i++)
        ck_assert_int_eq(netmap_open(b.data, i, &m), ERR_TRUNCATED);
    free(b.data);
}
END_TEST

/* Opens after one 32 bit word was changed and the checksum made right again. */
static int open_changed(struct built *b, size_t offset, uint32_t value)
{
    uint32_t before;
    struct netmap m;
    struct netmap_header *h = (struct netmap_header *)b->data;
    memcpy(&before, b->data + offset, sizeof before);
    memcpy(b->data + offset, &value, sizeof value);
    h->checksum = netmap_checksum(b->data, b->size);
    int r = netmap_open(b->data, b->size, &m);
    memcpy(b->data + offset, &before, sizeof before);
    return r;
}

START_TEST(what_is_summed_right_and_wrong_inside_is_refused)
{
    struct built b = sample();
    uint64_t parts[NETMAP_PARTS + 1];
    netmap_layout((const struct netmap_header *)b.data, parts);
    ck_assert_int_eq(open_changed(&b, offsetof(struct netmap_header, version), 2), ERR_VERSION);
    ck_assert_int_eq(open_changed(&b, offsetof(struct netmap_header, v4_count), 100), ERR_BOUNDS);
    ck_assert_int_eq(open_changed(&b, offsetof(struct netmap_header, row_count), UINT32_MAX),
                     ERR_BOUNDS);
    ck_assert_int_eq(open_changed(&b, parts[PART_V4], 1), ERR_BOUNDS);          /* not from 0 on */
    ck_assert_int_eq(open_changed(&b, parts[PART_V4] + 8, 0), ERR_BOUNDS);      /* not rising */
    ck_assert_int_eq(open_changed(&b, parts[PART_V4] + 4, 77), ERR_BOUNDS);     /* no such row */
    ck_assert_int_eq(open_changed(&b, parts[PART_V6] + 16, 77), ERR_BOUNDS);    /* no such row */
    ck_assert_int_eq(open_changed(&b, parts[PART_V6], 9), ERR_BOUNDS);          /* not from 0 on */
    ck_assert_int_eq(open_changed(&b, parts[PART_ROWS], 1), ERR_BOUNDS);        /* not from 0 on */
    ck_assert_int_eq(open_changed(&b, parts[PART_ROWS] + 4, 0), ERR_BOUNDS);    /* an empty row */
    ck_assert_int_eq(open_changed(&b, parts[PART_ROWS] + 4, 9999), ERR_BOUNDS); /* past the keys */
    free(b.data);
}
END_TEST

/* ---- locations ---- */

static uint32_t key(const char *continent, const char *country, const char *subdivision)
{
    struct config_location l = {0};
    snprintf(l.continent, sizeof l.continent, "%s", continent);
    snprintf(l.country, sizeof l.country, "%s", country);
    snprintf(l.subdivision, sizeof l.subdivision, "%s", subdivision);
    return location_key(&l);
}

START_TEST(locations_become_keys_and_text_again)
{
    char text[LOCATION_TEXT_MAX];
    ck_assert_uint_eq(key("", "", ""), 0);
    ck_assert_str_eq(location_format(0, text), "*");
    ck_assert_str_eq(location_format(key("EU", "", ""), text), "EU");
    ck_assert_str_eq(location_format(key("", "US", ""), text), "US");
    ck_assert_str_eq(location_format(key("", "US", "CA"), text), "US-CA");
    ck_assert_str_eq(location_format(key("", "GB", "ENG"), text), "GB-ENG");
    ck_assert_str_eq(location_format(key("", "FR", "75"), text), "FR-75");
    ck_assert_str_eq(location_format(key("", "AD", "9"), text), "AD-9");
    ck_assert_uint_eq(key("NA", "US", "CA"), key("", "US", "CA"));
    ck_assert_uint_ne(key("NA", "", ""), key("", "NA", "")); /* North America is not Namibia */
    ck_assert_uint_ne(key("", "US", ""), key("", "US", "CA"));
    ck_assert_uint_ne(key("", "US", "CA"), key("", "US", "AC"));
    for (uint32_t i = 0; i < 1000; i++) /* nothing overflows the buffer, whatever the key */
        ck_assert_uint_lt(strlen(location_format(i * 4294967u, text)), LOCATION_TEXT_MAX);
}
END_TEST

CHECK_MAIN("netmap", an_empty_map_knows_nobody, prefixes_nest, the_whole_space_can_be_one_prefix,
           equal_neighbours_become_one_range, keys_of_one_prefix_keep_their_order,
           random_prefixes_are_found_as_by_brute_force,
           half_a_million_prefixes_are_built_in_about_a_second, every_bit_flip_is_refused,
           every_truncation_is_refused, what_is_summed_right_and_wrong_inside_is_refused,
           locations_become_keys_and_text_again)
