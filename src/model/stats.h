/* Counters and gauges of each role, in a mapped file that can be read while the role runs and after
 * it died: DATA/run/<role>.stats. One writer per thread, relaxed; one list gives identifier, name,
 * labels, kind, help.
 *
 * Names follow Prometheus' conventions: base units (seconds, bytes), _total for counters. A value
 * is a whole number in the file; the kind gauge_us holds microseconds and is exported in seconds.
 */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_DNS(X)                                                                            \
    X(DNS_QUERIES_UDP, "holdfast_dns_queries_total", "transport=\"udp\"", counter,              \
      "Queries received.")                                                                      \
    X(DNS_QUERIES_TCP, "holdfast_dns_queries_total", "transport=\"tcp\"", counter,              \
      "Queries received.")                                                                      \
    X(DNS_QUERIES_TLS, "holdfast_dns_queries_total", "transport=\"tls\"", counter,              \
      "Queries received.")                                                                      \
    X(DNS_QUERIES_XDP, "holdfast_dns_queries_total", "transport=\"xdp\"", counter,              \
      "Queries received.")                                                                      \
    X(DNS_RESPONSES_NOERROR, "holdfast_dns_responses_total", "rcode=\"NOERROR\"", counter,      \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_FORMERR, "holdfast_dns_responses_total", "rcode=\"FORMERR\"", counter,      \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_SERVFAIL, "holdfast_dns_responses_total", "rcode=\"SERVFAIL\"", counter,    \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_NXDOMAIN, "holdfast_dns_responses_total", "rcode=\"NXDOMAIN\"", counter,    \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_NOTIMP, "holdfast_dns_responses_total", "rcode=\"NOTIMP\"", counter,        \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_REFUSED, "holdfast_dns_responses_total", "rcode=\"REFUSED\"", counter,      \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_YXDOMAIN, "holdfast_dns_responses_total", "rcode=\"YXDOMAIN\"", counter,    \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_BADVERS, "holdfast_dns_responses_total", "rcode=\"BADVERS\"", counter,      \
      "Responses sent.")                                                                        \
    X(DNS_RESPONSES_BADCOOKIE, "holdfast_dns_responses_total", "rcode=\"BADCOOKIE\"", counter,  \
      "Responses sent.")                                                                        \
    X(DNS_LIMITED_DROPPED, "holdfast_dns_limited_total", "action=\"dropped\"", counter,         \
      "Responses held back by rate limiting.")                                                  \
    X(DNS_LIMITED_SLIPPED, "holdfast_dns_limited_total", "action=\"truncated\"", counter,       \
      "Responses held back by rate limiting.")                                                  \
    X(DNS_TRUNCATED, "holdfast_dns_truncated_total", "", counter,                               \
      "UDP responses sent with TC set.")                                                        \
    X(DNS_STEERED, "holdfast_dns_steered_total", "", counter, "Responses made from the plan.")  \
    X(DNS_DROPPED, "holdfast_dns_dropped_total", "", counter,                                   \
      "Packets too broken to answer (no header, or a response).")                               \
    X(DNS_TRANSFERS, "holdfast_dns_transfers_total", "result=\"started\"", counter,             \
      "Zone transfers asked for.")                                                              \
    X(DNS_TRANSFERS_REFUSED, "holdfast_dns_transfers_total", "result=\"refused\"", counter,     \
      "Zone transfers asked for.")                                                              \
    X(DNS_TSIG_REFUSED, "holdfast_dns_tsig_refused_total", "", counter,                         \
      "Messages whose signature (TSIG) did not pass.")                                          \
    X(DNS_SEND_FAILED, "holdfast_dns_send_failed_total", "", counter,                           \
      "Responses that the kernel did not take.")                                                \
    X(DNS_BUNDLED, "holdfast_dns_bundled_total", "", counter,                                   \
      "Responses over UDP that left in one message with others to the same client.")            \
    X(DNS_BUNDLES_REFUSED, "holdfast_dns_bundles_refused_total", "", counter,                   \
      "Such messages that the kernel did not take, so that each response left alone.")          \
    X(DNS_PROXY_REFUSED, "holdfast_dns_proxy_refused_total", "", counter,                       \
      "Datagrams and connections that did not come from a trusted proxy with a good header.")   \
    X(DNS_STALE, "holdfast_dns_stale", "", gauge,                                               \
      "1 while control has been silent for so long that steered answers are called stale.")     \
    X(DNS_XDP_QUEUES, "holdfast_dns_xdp_queues", "", gauge,                                     \
      "Queues of interfaces that are read as raw packets (dns.xdp).")                           \
    X(DNS_TCP_CLIENTS, "holdfast_dns_tcp_clients", "", gauge, "TCP connections open now.")      \
    X(DNS_TCP_REFUSED, "holdfast_dns_tcp_refused_total", "", counter,                           \
      "TCP connections closed because the limit was reached.")                                  \
    X(DNS_CLOSED_EACH, "holdfast_dns_connections_closed_total", "reason=\"client\"", counter,   \
      "Connections over TCP and TLS that this server closed.")                                  \
    X(DNS_CLOSED_IDLE, "holdfast_dns_connections_closed_total", "reason=\"idle\"", counter,     \
      "Connections over TCP and TLS that this server closed.")                                  \
    X(DNS_CLOSED_SLOW, "holdfast_dns_connections_closed_total", "reason=\"slow\"", counter,     \
      "Connections over TCP and TLS that this server closed.")                                  \
    X(DNS_CLOSED_MEMORY, "holdfast_dns_connections_closed_total", "reason=\"memory\"", counter, \
      "Connections over TCP and TLS that this server closed.")                                  \
    X(DNS_TLS_CLIENTS, "holdfast_dns_tls_clients", "", gauge, "TLS connections open now.")      \
    X(DNS_TLS_FULL, "holdfast_dns_tls_handshakes_total", "result=\"full\"", counter,            \
      "TLS handshakes.")                                                                        \
    X(DNS_TLS_RESUMED, "holdfast_dns_tls_handshakes_total", "result=\"resumed\"", counter,      \
      "TLS handshakes.")                                                                        \
    X(DNS_TLS_FAILED, "holdfast_dns_tls_handshakes_total", "result=\"failed\"", counter,        \
      "TLS handshakes.")                                                                        \
    X(DNS_TLS_DELAYED, "holdfast_dns_tls_delayed_total", "", counter,                           \
      "Times that connections over TLS had to wait, since a second had its handshakes.")        \
    X(TLS_LOADED, "holdfast_tls_loads_total", "", counter, "Certificates taken into service.")  \
    X(TLS_REFUSED, "holdfast_dns_tls_refused_total", "", counter,                               \
      "Certificates and keys that did not pass the check.")                                     \
    X(TLS_ENDS, "holdfast_tls_certificate_end_seconds", "", gauge_us,                           \
      "When the certificate that is shown ends, in seconds since 1970.")

#define STATS_READER(X)                                                                           \
    X(PLAN_GENERATION, "holdfast_plan_generation", "", gauge,                                     \
      "Generation of the plan this role serves.")                                                 \
    X(PLAN_LOADED, "holdfast_plan_loads_total", "", counter, "Plans taken into service.")         \
    X(PLAN_REFUSED, "holdfast_plan_refused_total", "", counter,                                   \
      "Plan files that the reader's own check refused.")                                          \
    X(ZONES_SERVED, "holdfast_zones", "", gauge, "Zones in service.")                             \
    X(ZONES_LACKING, "holdfast_zones_lacking", "", gauge,                                         \
      "Zones whose file is damaged, missing or not to be mapped: dark, or answered as they were " \
      "before.")

#define STATS_CONTROL(X)                                                                        \
    X(CONTROL_PROBES, "holdfast_probes_total", "", counter, "Probes ended.")                    \
    X(CONTROL_PROBES_FAILED, "holdfast_probes_failed_total", "", counter,                       \
      "Probes ended without success.")                                                          \
    X(CONTROL_PROBES_LATE, "holdfast_probes_late_total", "", counter,                           \
      "Probes whose result was frozen: the prober was late.")                                   \
    X(CONTROL_STEPS, "holdfast_plan_steps_total", "", counter, "Plan steps computed.")          \
    X(CONTROL_STEP_US, "holdfast_plan_step_seconds", "", gauge_us,                              \
      "Time the newest plan step took.")                                                        \
    X(CONTROL_PUBLISHED, "holdfast_plan_published_total", "", counter, "Plans published.")      \
    X(CONTROL_PUBLISH_FAILED, "holdfast_plan_publish_failed_total", "", counter,                \
      "Publications that failed (disk full, ...).")                                             \
    X(CONTROL_FETCHED, "holdfast_zone_fetches_total", "result=\"taken\"", counter,              \
      "Transfers of zones from their primaries.")                                               \
    X(CONTROL_FETCH_FAILED, "holdfast_zone_fetches_total", "result=\"failed\"", counter,        \
      "Transfers of zones from their primaries.")                                               \
    X(CONTROL_ZONES_SECONDARY, "holdfast_zones_secondary", "", gauge,                           \
      "Zones that come from other name servers.")                                               \
    X(CONTROL_ZONES_EXPIRED, "holdfast_zones_expired", "", gauge,                               \
      "Of those, the ones that no primary confirmed in time.")                                  \
    X(CONTROL_ZONES_BEHIND, "holdfast_zones_behind", "", gauge,                                 \
      "Zones whose newest content could not be made, and that are served as before.")           \
    X(CONTROL_RELOADS, "holdfast_reloads_total", "result=\"ok\"", counter,                      \
      "Configuration reloads.")                                                                 \
    X(CONTROL_RELOADS_FAILED, "holdfast_reloads_total", "result=\"refused\"", counter,          \
      "Configuration reloads.")                                                                 \
    X(CONTROL_UPDATES, "holdfast_updates_total", "result=\"applied\"", counter,                 \
      "DNS UPDATE messages.")                                                                   \
    X(CONTROL_UPDATES_IDLE, "holdfast_updates_total", "result=\"unchanged\"", counter,          \
      "DNS UPDATE messages.")                                                                   \
    X(CONTROL_UPDATES_REFUSED, "holdfast_updates_total", "result=\"refused\"", counter,         \
      "DNS UPDATE messages.")                                                                   \
    X(CONTROL_UPDATES_FAILED, "holdfast_updates_total", "result=\"failed\"", counter,           \
      "DNS UPDATE messages.")                                                                   \
    X(CONTROL_UPDATES_FORWARDED, "holdfast_updates_total", "result=\"forwarded\"", counter,     \
      "DNS UPDATE messages.")                                                                   \
    X(CONTROL_ORDERS, "holdfast_orders_total", "", counter, "Operator's orders accepted.")      \
    X(CONTROL_API_TURNED_AWAY, "holdfast_api_connections_refused_total", "", counter,           \
      "Connections to the API from a network that had begun too many handshakes.")              \
    X(CONTROL_API_DONE, "holdfast_api_requests_total", "outcome=\"done\"", counter,             \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_API_REFUSED, "holdfast_api_requests_total", "outcome=\"refused\"", counter,       \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_API_UNSIGNED, "holdfast_api_requests_total", "outcome=\"unsigned\"", counter,     \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_API_DENIED, "holdfast_api_requests_total", "outcome=\"denied\"", counter,         \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_API_THROTTLED, "holdfast_api_requests_total", "outcome=\"throttled\"", counter,   \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_API_FAILED, "holdfast_api_requests_total", "outcome=\"failed\"", counter,         \
      "Requests of the API, by what became of them.")                                           \
    X(CONTROL_LAG_US, "holdfast_loop_lag_seconds", "", gauge_us,                                \
      "Latest lateness of the control loop.")                                                   \
    X(CONTROL_SIGNED, "holdfast_dnssec_zones", "", gauge, "Zones that are signed here.")        \
    X(CONTROL_SIGNED_STUCK, "holdfast_dnssec_zones_stuck", "", gauge,                           \
      "Signed zones that cannot be signed anew and go on as they were.")                        \
    X(CONTROL_SIGNATURES_END, "holdfast_dnssec_signatures_end_timestamp_seconds", "", gauge_us, \
      "When the first signature made here ends; 0: there is none.")                             \
    X(CONTROL_STEERED_END, "holdfast_dnssec_steered_signatures_end_timestamp_seconds", "",      \
      gauge_us, "When the first signature of a steered name ends; 0: there is none.")           \
    X(CONTROL_KEYS_NEXT, "holdfast_dnssec_next_event_timestamp_seconds", "", gauge_us,          \
      "When the next key takes a step by itself; 0: none does.")                                \
    X(CONTROL_PARENT_PENDING, "holdfast_dnssec_parent_pending", "", gauge,                      \
      "Zones whose parent is to be given a DS, or to remove one.")                              \
    X(CONTROL_LINKS, "holdfast_links", "", gauge, "Other nodes of the cluster.")                \
    X(CONTROL_LINKS_UP, "holdfast_links_up", "", gauge, "Of those, the ones linked with.")      \
    X(CONTROL_REPLICA_LEADS, "holdfast_replica_leads", "", gauge,                               \
      "1 where this node leads its cluster.")                                                   \
    X(CONTROL_REPLICA_QUORUM, "holdfast_replica_quorum", "", gauge,                             \
      "1 where a majority of the voters can be reached.")                                       \
    X(CONTROL_REPLICA_HALTED, "holdfast_replica_halted", "", gauge,                             \
      "1 where this node stopped voting: its disk is damaged or full.")                         \
    X(CONTROL_OUTCOMES, "holdfast_outcomes_remembered", "", gauge,                              \
      "Requests with a token that are remembered: a retry changes nothing twice.")              \
    X(CONTROL_OUTCOMES_FORGOTTEN, "holdfast_outcomes_forgotten_total", "", counter,             \
      "Of those, forgotten before a quarter of an hour was over: there were too many.")         \
    X(CONTROL_OVERRIDES, "holdfast_overrides", "", gauge,                                       \
      "Changes of this node alone, made while it was cut off from its cluster.")                \
    X(CONTROL_REPLICA_TERM, "holdfast_replica_term", "", gauge, "Term of its leader.")          \
    X(CONTROL_REPLICA_APPLIED, "holdfast_replica_applied", "", gauge,                           \
      "Newest entry of the log that this node has carried out.")                                \
    X(CONTROL_LINKS_CONNECTED, "holdfast_links_connected_total", "", counter,                   \
      "Links to other nodes that came up.")                                                     \
    X(CONTROL_LINKS_REFUSED, "holdfast_links_refused_total", "", counter,                       \
      "Connections from somebody who is no node of the cluster, or not understood.")            \
    X(CONTROL_LINK_BYTES_IN, "holdfast_link_bytes_total", "direction=\"in\"", counter,          \
      "Bytes exchanged with other nodes, before encryption.")                                   \
    X(CONTROL_LINK_BYTES_OUT, "holdfast_link_bytes_total", "direction=\"out\"", counter,        \
      "Bytes exchanged with other nodes, before encryption.")                                   \
    X(CONTROL_LINK_DROPPED, "holdfast_link_samples_dropped_total", "", counter,                 \
      "Slices of tables of samples that made room for newer ones: a link was slow.")            \
    X(CONTROL_MESH_CERTIFICATE_END, "holdfast_mesh_certificate_end_timestamp_seconds", "",      \
      gauge_us, "When the certificate that other nodes are shown ends; 0: there is none.")      \
    X(CONTROL_TABLES_SENT, "holdfast_sample_tables_total", "result=\"sent\"", counter,          \
      "Slices of tables of samples exchanged with other nodes, ten a second with each.")        \
    X(CONTROL_TABLES_UNSENT, "holdfast_sample_tables_total", "result=\"unsent\"", counter,      \
      "Slices of tables of samples exchanged with other nodes, ten a second with each.")        \
    X(CONTROL_TABLES_TAKEN, "holdfast_sample_tables_total", "result=\"taken\"", counter,        \
      "Slices of tables of samples exchanged with other nodes, ten a second with each.")        \
    X(CONTROL_TABLES_REFUSED, "holdfast_sample_tables_total", "result=\"refused\"", counter,    \
      "Slices of tables of samples exchanged with other nodes, ten a second with each.")        \
    X(CONTROL_VANTAGES, "holdfast_vantages", "", gauge,                                         \
      "Nodes that look at the targets, this one included; 0: it is alone.")                     \
    X(CONTROL_VANTAGES_VOTING, "holdfast_vantages_voting", "", gauge,                           \
      "Of those, the ones that vote.")

#define STATS_TELL(X)                                                                        \
    X(TELL_REQUESTS, "holdfast_http_requests_total", "", counter, "HTTP requests answered.") \
    X(TELL_CLIENTS, "holdfast_http_clients", "", gauge, "HTTP connections open now.")

#define STATS_SUPERVISOR(X)                                                              \
    X(SUPERVISOR_RESTARTS_CONTROL, "holdfast_restarts_total", "of=\"control\"", counter, \
      "Restarts of a role.")                                                             \
    X(SUPERVISOR_RESTARTS_DNS, "holdfast_restarts_total", "of=\"dns\"", counter,         \
      "Restarts of a role.")                                                             \
    X(SUPERVISOR_RESTARTS_TELL, "holdfast_restarts_total", "of=\"tell\"", counter,       \
      "Restarts of a role.")                                                             \
    X(SUPERVISOR_TLS_REFUSED, "holdfast_tls_refused_total", "", counter,                 \
      "Certificates and keys that did not pass the check.")

#define STATS_ALL(X) STATS_DNS(X) STATS_READER(X) STATS_CONTROL(X) STATS_TELL(X) STATS_SUPERVISOR(X)

/* Not "enum stat": the tag would clash with struct stat. */
enum stat_id {
#define X(id, name, labels, kind, help) id,
    STATS_ALL(X)
#undef X
        STATS
};

/* The processes that have a stats file. */
enum stats_role { STATS_ROLE_SUPERVISOR, STATS_ROLE_CONTROL, STATS_ROLE_DNS, STATS_ROLE_TELL };
enum { STATS_ROLES = 4 };
const_function const char *stats_role_name(enum stats_role role); /* "supervisor" */

enum stat_kind {
    STAT_counter,
    STAT_gauge,
    STAT_gauge_us, /* stored in microseconds, exported in seconds */
};
enum {
    STAT_EVERY_READER = -1
}; /* owner: each role that serves a plan; exported with a role label */
struct stat_info {
    const char *name, *labels, *help;
    enum stat_kind kind;
    int owner; /* enum stats_role whose file holds it, or STAT_EVERY_READER */
};
extern const struct stat_info stat_infos[STATS];

/* The counters of one thread; only that thread writes. */
struct stats_thread {
    _Atomic uint64_t values[STATS];
} cache_aligned;

static inline void stats_add(struct stats_thread *t, enum stat_id id, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&t->values[id], memory_order_relaxed);
    atomic_store_explicit(&t->values[id], v + n, memory_order_relaxed);
}
static inline void stats_set(struct stats_thread *t, enum stat_id id, uint64_t v)
{
    atomic_store_explicit(&t->values[id], v, memory_order_relaxed);
}

enum {
    STATS_VERSION = 3,
    STATS_THREADS_MAX = 1024,
    STATS_ROLE_TEXT_MAX = 16,
    STATS_NOTE_MAX = 512
};

struct stats_header {
    char magic[8];
    uint32_t version, thread_count, stat_count, pid;
    char role[STATS_ROLE_TEXT_MAX];
    int64_t started_wall; /* seconds since 1970 */
    uint64_t layout; /* hash of the list: counters of programs with another list are not read */
    uint64_t offset; /* of the counters in the file */
};

/* A mapped stats file. */
struct stats_file {
    struct stats_header *header;
    struct stats_thread *threads;
    char *note;            /* STATS_NOTE_MAX bytes behind the counters */
    uint32_t thread_count; /* as checked: a reader does not trust the header again */
    size_t size;
    int fd; /* holds (writer) or asks for (reader) the lock that says: this role's process lives */
};

/* Makes or takes over DATA/run/<role>.stats: counters go on from where the process before left
 * them, gauges start at 0. Where that process still lives (a new program takes over from the old
 * one) the two count in different parts of the file; what the old one counts from then on is not
 * seen. Makes DATA/run where it is missing. 0, ERR_MAGIC where something else is in the way, or a
 * negated errno. */
must_check int stats_create(const char *data, const char *role, unsigned threads,
                            struct stats_file *ret);
/* The same in memory of this process only, for a role that must run though the disk does not let it
 * (L1). Never fails. */
void stats_private(const char *role, unsigned threads, struct stats_file *ret);
/* Maps it read-only: ERR_MISSING, ERR_MAGIC, ERR_VERSION, ERR_TRUNCATED, or a negated errno. */
must_check int stats_open(const char *data, const char *role, struct stats_file *ret);
/* The number of the newest process of the role, dead or alive, also where it was a program with
 * another list: 0, or errors as of stats_open. */
must_check int stats_pid(const char *data, const char *role, uint32_t *ret_pid);
void stats_close(struct stats_file *f);
/* What the process says of itself, for people: a sentence or a few, without a newline; cut where it
 * is longer than STATS_NOTE_MAX - 1. None ("") when it starts. */
void stats_note_set(const struct stats_file *f, const char *note);
/* Read by another process: a copy, ended where the file is not. */
void stats_note_get(const struct stats_file *f, char ret[static STATS_NOTE_MAX]);
/* For a file from stats_open: is the process that made it still alive? By a lock of the kernel, so
 * a reused process number does not deceive. */
bool stats_alive(const struct stats_file *f);
/* Sum over threads for counters; the smallest non-zero value for PLAN_GENERATION (the slowest
 * worker), the sum for other gauges. */
uint64_t stats_value(const struct stats_file *f, enum stat_id id);
