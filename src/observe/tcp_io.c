/* Checks of kind tcp: a connection is made, and closed at once. */
#include "observe/probe_io.h"

static void tcp_start(struct slot *s)
{
    int err = stream_connect(s);
    if (err)
        stream_failed(s, -err);
}

static void tcp_event(struct slot *s, uint32_t events)
{
    (void)events;
    int error = stream_connected(s);
    if (error)
        stream_failed(s, error);
    else
        slot_finish(s, REASON_OK);
}

static void tcp_expire(struct slot *s)
{
    slot_phase(s, PHASE_CONNECT, s->sample.started);
    slot_finish(s, REASON_CONNECT_TIMEOUT);
}

const struct probe_kind probe_tcp = {
    .start = tcp_start, .event = tcp_event, .expire = tcp_expire, .stop = stream_end};
