#include "prog/role_spawn.h"
#include "base/memory.h"
#include "base/text.h"
#include "prog/xdp.h"
#include "seam/process.h"
#include <string.h>

enum { ARGUMENTS_MAX = 40 };

static char *fds_format(const int *fds, unsigned count, struct arena *a)
{
    struct text t = text_init(1 << 16);
    for (unsigned i = 0; i < count; i++)
        text_appendf(&t, "%s%d", i ? "," : "", fds[i]);
    char *s = arena_string(a, text_string(&t), t.length);
    text_done(&t);
    return s;
}

struct arguments {
    struct arena arena;
    char *list[ARGUMENTS_MAX];
    unsigned count;
};

static void argument_add(struct arguments *a, const char *word)
{
    if (a->count < ARGUMENTS_MAX - 1)
        a->list[a->count++] = arena_string(&a->arena, word, strlen(word));
}

static void argument_add_number(struct arguments *a, const char *option, int64_t number)
{
    argument_add(a, option);
    argument_add(a, arena_printf(&a->arena, "%lld", (long long)number));
}

static void arguments_make(struct arguments *a, enum role_kind role, const struct role_options *o,
                           int ready_fd)
{
    argument_add(a, "holdfast");
    argument_add(a, "role");
    argument_add(a, role_name(role));
    argument_add(a, "--data");
    argument_add(a, o->data);
    if (o->config) {
        argument_add(a, "--config");
        argument_add(a, o->config);
    }
    if (o->user) {
        argument_add(a, "--user");
        argument_add(a, o->user);
    }
    argument_add(a, "--udp-fds");
    argument_add(a, fds_format(o->udp_fds, o->udp_count, &a->arena));
    argument_add(a, "--tcp-fds");
    argument_add(a, fds_format(o->tcp_fds, o->tcp_count, &a->arena));
    argument_add_number(a, "--ready-fd", ready_fd);
    argument_add_number(a, "--threads", o->threads);
    argument_add_number(a, "--udp-size", o->udp_size);
    argument_add_number(a, "--tls", o->tls_count);
    argument_add_number(a, "--proxy-udp", o->proxy_udp_count);
    argument_add_number(a, "--proxy-tcp", o->proxy_tcp_count);
    argument_add_number(a, "--proxy-tls", o->proxy_tls_count);
    argument_add_number(a, "--client-subnet", o->client_subnet);
    if (o->policy_fd >= 0)
        argument_add_number(a, "--policy-fd", o->policy_fd);
    if (o->xdp_count + o->xdp_refused_count) {
        struct text t = text_init(1 << 12);
        xdp_format(o, &t);
        argument_add(a, "--xdp");
        argument_add(a, text_string(&t));
        text_done(&t);
    }
    argument_add_number(a, "--log-level", o->log_level);
    argument_add_number(a, "--log-format", o->log_format);
}

int role_spawn(enum role_kind role, const struct role_options *o, int ready_fd, int lock_fd,
               pid_t *ret_pid)
{
    struct arguments a = {.arena = arena_init()};
    arguments_make(&a, role, o, ready_fd);
    int keep[2 * ROLE_FDS_MAX + XDP_INTERFACES_MAX + 4];
    unsigned count = 0;
    for (unsigned i = 0; i < o->udp_count; i++)
        keep[count++] = o->udp_fds[i];
    for (unsigned i = 0; i < o->tcp_count; i++)
        keep[count++] = o->tcp_fds[i];
    for (unsigned i = 0; i < o->xdp_count; i++)
        keep[count++] = o->xdp[i].map_fd;
    if (o->xdp_count && o->xdp_release_fd >= 0)
        keep[count++] = o->xdp_release_fd;
    if (o->policy_fd >= 0)
        keep[count++] = o->policy_fd;
    keep[count++] = ready_fd;
    keep[count++] = lock_fd;
    int err = process_spawn("/proc/self/exe", a.list, keep, count, ret_pid);
    arena_done(&a.arena);
    return err;
}
