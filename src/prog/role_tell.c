/* The tell role: metrics and health over HTTP, from files; it outlives everybody else (L9). */
#include "base/err.h"
#include "base/log.h"
#include "model/stats.h"
#include "prog/role.h"
#include "tell/tell_io.h"

static void ready(void *context)
{
    role_ready(context);
}

int role_tell(const struct role_options *o)
{
    struct stats_file stats;
    int err = stats_create(o->data, "tell", 1, &stats);
    if (err) { /* a full or read-only disk stops no answer (L1) */
        log_event(LOG_ERROR, "stats.create", {"data", LOG_S(o->data)},
                  {"reason", LOG_S(err_text(err))},
                  {"consequence", LOG_S("this role's counters are not seen by others")});
        stats_private("tell", 1, &stats);
    }
    struct tell_options tell = {
        .data = o->data,
        .listen_fds = o->tcp_fds,
        .listen_count = o->tcp_count,
        .stats = &stats,
        .stop_fd = role_stop_fd(),
        .ready = ready,
        .context = (void *)o,
    };
    err = tell_run(&tell);
    if (err)
        log_event(LOG_ERROR, "tell.stopped", {"reason", LOG_S(err_text(err))});
    stats_close(&stats);
    return err ? 1 : 0;
}
