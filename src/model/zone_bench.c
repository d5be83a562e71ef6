/* What it costs to compile and to open a zone of a million addresses, in file order and shuffled.
 */
#include "base/err.h"
#include "base/memory.h"
#include "base/random.h"
#include "model/zone_compile.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { RECORDS = 1000000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static long peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

static struct text zone_text(bool shuffled)
{
    static uint32_t order[RECORDS];
    struct text t = text_init((size_t)RECORDS * 64);
    struct random r = random_init(1);

    for (uint32_t i = 0; i < RECORDS; i++)
        order[i] = i;
    for (uint32_t i = RECORDS - 1; shuffled && i; i--) {
        uint32_t j = random_below(&r, i + 1), swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    text_append(&t, "$TTL 3600\n@ SOA ns1 host 1 3600 900 604800 300\n NS ns1\nns1 A 192.0.2.1\n");
    for (uint32_t i = 0; i < RECORDS; i++) {
        uint32_t n = order[i];
        text_appendf(&t, "host-%07u 300 IN A 10.%u.%u.%u\n", n, n >> 16, n >> 8 & 255, n & 255);
    }
    return t;
}

static const char *drop_record(void *context, const uint8_t *owner, uint16_t type, uint16_t class,
                               uint32_t ttl, const uint8_t *rdata, uint16_t rdata_length,
                               uint32_t line)
{
    (void)owner, (void)type, (void)class, (void)ttl, (void)rdata, (void)rdata_length, (void)line;
    ++*(unsigned *)context;
    return NULL;
}

static double parse_once(const struct text *t)
{
    unsigned count = 0;
    struct text problems = text_init(1 << 16);
    struct zonefile z = {"bench.zone", (const uint8_t *)"\7example\3com", drop_record, NULL, NULL,
                         &count};
    double start = seconds();
    int err = zonefile_parse(&z, t->data, t->length, &problems);
    double took = seconds() - start;

    if (err < 0 || count != RECORDS + 3)
        fprintf(stderr, "%u records: %s\n", count, text_string(&problems));
    text_done(&problems);
    return took;
}

static void bench(const char *label, bool shuffled)
{
    struct text t = zone_text(shuffled), problems = text_init(1 << 16);
    struct zone z;
    uint8_t *data;
    size_t size;

    double parsed = parse_once(&t), start = seconds();
    int err = zone_compile("example.com", "bench.zone", t.data, t.length, NULL, 0, NULL, NULL,
                           &problems, &data, &size);
    double compiled = seconds();
    if (err < 0) {
        fprintf(stderr, "%s\n", text_string(&problems));
        exit(1);
    }
    err = zone_open(data, size, &z);
    double opened = seconds();
    printf("%s: text %zu MiB; parse %.3f s; compile (parse, sort, build) %.3f s; open with every "
           "check %.3f s%s; file %zu MiB; peak %ld MiB with the text\n",
           label, t.length >> 20, parsed, compiled - start, opened - compiled,
           err < 0 ? " FAILED" : "", size >> 20, peak_mib());
    free(data);
    text_done(&t);
    text_done(&problems);
}

int main(void)
{
    bench("in order", false);
    bench("shuffled", true);
    return 0;
}
