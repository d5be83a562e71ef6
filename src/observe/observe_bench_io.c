/* What probing costs: observe_bench_io KIND TARGETS INTERVAL_MS SECONDS
 *
 * The servers are other processes on loopback and not counted; but on loopback the kernel does the
 * server's half of TCP within the prober's own system calls, so that the numbers are an upper
 * bound. KIND "none" has every target paused: what the loop itself costs. Prints one line of
 * key=value. */
#include "base/memory.h"
#include "observe/observe_io.h"
#include "observe/origin_io.h"
#include "seam/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

struct tally {
    uint64_t good, bad, late;
    usec_t spread; /* sum of durations */
};

static void on_sample(void *context, const struct sample *s)
{
    struct tally *t = context;
    t->good += s->reason == REASON_OK;
    t->bad += s->reason != REASON_OK;
    t->late += s->late;
    t->spread += s->ended - s->started;
    if (s->reason != REASON_OK && t->bad < 4)
        fprintf(stderr, "%s\n", reason_name(s->reason));
}

static void on_end(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static double cpu_us(const struct timeval *t)
{
    return (double)t->tv_sec * 1e6 + (double)t->tv_usec;
}

/* Answers any query with one address. */
static void serve_dns(int fd, SSL *ssl, const void *context)
{
    (void)ssl, (void)context;
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    uint8_t m[1024];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(fd, m, 512, 0, (struct sockaddr *)&from, &size);
    if (length < 29)
        return;
    length -= 11; /* OPT */
    m[2] = 0x84, m[3] = 0, m[7] = 1, m[11] = 0;
    memcpy(m + length, record, sizeof record);
    (void)!sendto(fd, m, (size_t)length + sizeof record, 0, (struct sockaddr *)&from, size);
}

static struct origin server_start(const struct config_check *check, const char *ca)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    struct origin_how how = {.address = "127.0.0.1"};
    if (check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS) {
        how.handler = origin_answer;
        how.context = answer;
    }
    if (check->kind == CHECK_DNS) {
        how.type = SOCK_DGRAM;
        how.handler = serve_dns;
    }
    if (check->kind == CHECK_HTTPS || check->kind == CHECK_TLS) {
        struct authority a = authority_new(ca);
        how.tls = authority_server(&a, "DNS:bench.test,IP:127.0.0.1", -60, 86400);
        authority_free(&a);
    }
    return origin_start(&how);
}

static void bench_run(struct config_check *check, uint32_t count, bool idle, unsigned seconds)
{
    uv_loop_t loop;
    uv_timer_t end;
    struct observer *o;
    struct tally tally = {0};
    struct target *targets = mem_new(count, sizeof *targets);
    bool *paused = mem_new(count, sizeof *paused);
    for (uint32_t i = 0; i < count; i++) {
        targets[i].check = check;
        (void)!ip_parse("127.0.0.1", &targets[i].address);
        paused[i] = idle;
    }
    uv_loop_init(&loop);
    if (observer_new(&loop, on_sample, &tally, 1, &o))
        exit(1);
    observer_targets(o, targets, count, paused, 1);
    uv_timer_init(&loop, &end);
    uv_timer_start(&end, on_end, 1500, 0); /* until every target has its rhythm */
    uv_run(&loop, UV_RUN_DEFAULT);
    struct rusage from, to;
    tally = (struct tally){0};
    getrusage(RUSAGE_SELF, &from);
    usec_t started = clock_now();
    uv_timer_start(&end, on_end, seconds * 1000, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    double took = (double)(clock_now() - started);
    getrusage(RUSAGE_SELF, &to);
    double user = cpu_us(&to.ru_utime) - cpu_us(&from.ru_utime),
           sys = cpu_us(&to.ru_stime) - cpu_us(&from.ru_stime);
    double probes = (double)(tally.good + tally.bad);
    printf("probes=%.0f bad=%llu late=%llu rate=%.0f user_us=%.1f sys_us=%.1f cpu_us=%.1f "
           "core=%.4f latency_us=%.0f switches=%ld rss_kb=%ld\n",
           probes, (unsigned long long)tally.bad, (unsigned long long)tally.late,
           probes / took * 1e6, probes > 0 ? user / probes : 0, probes > 0 ? sys / probes : 0,
           probes > 0 ? (user + sys) / probes : 0, (user + sys) / took,
           probes > 0 ? (double)tally.spread / probes : 0,
           to.ru_nvcsw + to.ru_nivcsw - from.ru_nvcsw - from.ru_nivcsw, to.ru_maxrss);
    observer_free(o);
    uv_close((uv_handle_t *)&end, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    free(targets);
    free(paused);
}

int main(int argc, char **argv)
{
    static const char *const names[CHECK_KINDS] = {"tcp", "tls", "http", "https", "icmp", "dns"};
    if (argc != 5) {
        fprintf(stderr, "usage: %s none|KIND TARGETS INTERVAL_MS SECONDS\n", argv[0]);
        return 2;
    }
    char ca[] = "/tmp/holdfast-bench-XXXXXX", url[64];
    close(mkstemp(ca));
    struct config_check check = {.name = "bench", .kind = CHECK_TCP, .verify = true};
    for (int i = 0; i < CHECK_KINDS; i++)
        if (strcmp(argv[1], names[i]) == 0)
            check.kind = (enum check_kind)i;
    check.interval = strtol(argv[3], NULL, 10) * USEC_PER_MSEC;
    check.timeout = check.interval < USEC_PER_SEC ? check.interval : USEC_PER_SEC;
    struct origin server = server_start(&check, ca);
    check.port = server.port;
    check.ca = ca;
    check.query = "www.bench.test";
    snprintf(url, sizeof url, "%s://{address}:%u/healthz", names[check.kind], server.port);
    check.url = url;
    bench_run(&check, (uint32_t)strtoul(argv[2], NULL, 10), strcmp(argv[1], "none") == 0,
              (unsigned)strtoul(argv[4], NULL, 10));
    origin_stop(&server);
    unlink(ca);
    return 0;
}
