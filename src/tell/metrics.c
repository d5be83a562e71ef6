/* One function a family: its header, then its lines. The text of a target's labels is made once and
 * used by all families of the target. */
#include "tell/metrics.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "tell/incidents.h"
#include <stdio.h>
#include <string.h>

struct metrics {
    struct text *out;
    const struct view *v;
    const struct plan_target *targets;
    struct arena arena;
    const char **target_labels; /* service="",endpoint="",address="" */
};

static void family(const struct metrics *m, const char *name, const char *type, const char *help)
{
    text_appendf(m->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Label values: backslash, quote and newline are escaped. */
static const char *escaped(struct arena *a, const char *value)
{
    if (!strpbrk(value, "\\\"\n"))
        return value;
    char *to = arena_new(a, strlen(value) * 2 + 1, 1), *at = to;
    for (const char *c = value; *c; c++) {
        if (*c == '\\' || *c == '"' || *c == '\n')
            *at++ = '\\';
        *at++ = *c == '\n' ? 'n' : *c;
    }
    return to;
}

static const char *text_of(struct metrics *m, uint32_t offset)
{
    return escaped(&m->arena, plan_text(&m->v->plan, offset));
}

/* Microseconds as seconds, exactly. */
static void seconds_append(struct text *out, uint64_t us)
{
    text_appendf(out, "%llu.%06u\n", (unsigned long long)(us / 1000000), (unsigned)(us % 1000000));
}

static void number_append(struct text *out, uint64_t value)
{
    text_appendf(out, "%llu\n", (unsigned long long)value);
}

/* ---- counters of the roles ---- */

static void stat_append(struct metrics *m, const struct stat_info *s, enum stats_role role,
                        enum stat_id id)
{
    const struct view_role *r = &m->v->roles[role];
    const char *labels = s->labels;
    char with_role[64];
    if (s->owner == STAT_EVERY_READER) {
        invariant(!labels[0]);
        snprintf(with_role, sizeof with_role, "role=\"%s\"", stats_role_name(role));
        labels = with_role;
    }
    uint64_t value = stats_value(&r->stats, id);
    text_append(m->out, s->name);
    if (labels[0])
        text_appendf(m->out, "{%s}", labels);
    text_append(m->out, " ");
    if (s->kind == STAT_gauge_us)
        seconds_append(m->out, value);
    else
        number_append(m->out, value);
}

static bool stat_has(const struct metrics *m, const struct stat_info *s, enum stats_role role)
{
    bool owns = s->owner == STAT_EVERY_READER ? view_role_reads_plans(role) : s->owner == (int)role;
    return owns && m->v->roles[role].has_stats;
}

/* Entries of one family stand together in the list. */
static void stats_append(struct metrics *m)
{
    const char *current = "";
    for (unsigned i = 0; i < STATS; i++) {
        const struct stat_info *s = &stat_infos[i];
        for (unsigned role = 0; role < STATS_ROLES; role++) {
            if (!stat_has(m, s, (enum stats_role)role))
                continue;
            if (strcmp(current, s->name) != 0)
                family(m, s->name, s->kind == STAT_counter ? "counter" : "gauge", s->help);
            current = s->name;
            stat_append(m, s, (enum stats_role)role, (enum stat_id)i);
        }
    }
}

static void roles_append(struct metrics *m)
{
    family(m, "holdfast_role_up", "gauge", "Whether the process of the role is alive.");
    for (unsigned i = 0; i < STATS_ROLES; i++)
        text_appendf(m->out, "holdfast_role_up{role=\"%s\"} %d\n",
                     stats_role_name((enum stats_role)i), m->v->roles[i].alive);
    family(m, "holdfast_role_start_timestamp_seconds", "gauge",
           "When the newest process of the role started, since 1970.");
    for (unsigned i = 0; i < STATS_ROLES; i++)
        if (m->v->roles[i].has_stats)
            text_appendf(m->out, "holdfast_role_start_timestamp_seconds{role=\"%s\"} %lld\n",
                         stats_role_name((enum stats_role)i),
                         (long long)m->v->roles[i].stats.header->started_wall);
}

/* ---- the node and its plan ---- */

static void node_append(struct metrics *m)
{
    const struct view *v = m->v;
    family(m, "holdfast_build_info", "gauge", "Version of the program, in a label.");
    text_append(m->out, "holdfast_build_info{version=\"" HOLDFAST_VERSION "\"} 1\n");
    family(m, "holdfast_control_beat_fresh", "gauge",
           "Whether control wrote its verdicts within the last seconds.");
    text_appendf(m->out, "holdfast_control_beat_fresh %d\n", view_beat_fresh(v));
    if (v->has_board) {
        family(m, "holdfast_control_beat_age_seconds", "gauge",
               "Time since control wrote its verdicts.");
        text_append(m->out, "holdfast_control_beat_age_seconds ");
        seconds_append(m->out, (uint64_t)(v->now > v->board.beat ? v->now - v->board.beat : 0));
    }
    if (!v->has_plan)
        return;
    family(m, "holdfast_node_info", "gauge", "Name, site and network of the node, in labels.");
    text_appendf(m->out, "holdfast_node_info{node=\"%s\",site=\"%s\",network=\"%s\"} 1\n",
                 text_of(m, v->plan.node), text_of(m, v->plan.site), text_of(m, v->plan.network));
    family(m, "holdfast_plan_made_timestamp_seconds", "gauge",
           "When the newest plan was made, since 1970.");
    text_append(m->out, "holdfast_plan_made_timestamp_seconds ");
    seconds_append(m->out, (uint64_t)(v->plan.made_wall > 0 ? v->plan.made_wall : 0));
}

static void zones_append(struct metrics *m)
{
    const struct plan *p = &m->v->plan;
    family(m, "holdfast_zone_serial", "gauge", "SOA serial of the zone in the newest plan.");
    for (uint32_t i = 0; i < p->file_count; i++)
        if (p->files[i].kind == PLAN_FILE_ZONE)
            text_appendf(m->out, "holdfast_zone_serial{zone=\"%s\"} %u\n",
                         text_of(m, p->files[i].name), p->files[i].serial);
}

/* ---- keys ---- */

static void key_times_append(struct metrics *m, const char *name, const char *help, size_t member)
{
    const struct key_board *b = m->v->keys;
    family(m, name, "gauge", help);
    for (uint32_t i = 0; i < b->count; i++) {
        int64_t when;
        memcpy(&when, (const char *)&b->zones[i] + member, sizeof when);
        text_appendf(m->out, "%s{zone=\"%s\"} %lld\n", name, escaped(&m->arena, b->zones[i].name),
                     (long long)when);
    }
}

static void keys_append(struct metrics *m)
{
    static const struct {
        unsigned need;
        const char *word;
    } needs[] = {{KEYS_DS_GIVE, "ds-give"}, {KEYS_DS_REMOVE, "ds-remove"}, {KEYS_STUCK, "sign"}};
    const struct key_board *b = m->v->keys;
    key_times_append(m, "holdfast_dnssec_zone_next_event_timestamp_seconds",
                     "When a key of the zone takes a step by itself; 0: none does.",
                     offsetof(struct key_board_zone, next_event));
    key_times_append(m, "holdfast_dnssec_zone_signatures_end_timestamp_seconds",
                     "When the first signature of the zone ends.",
                     offsetof(struct key_board_zone, signatures_end));
    family(m, "holdfast_dnssec_zone_need", "gauge",
           "What the keys of the zone want of a person, in a label.");
    for (uint32_t i = 0; i < b->count; i++)
        for (size_t n = 0; n < array_length(needs); n++)
            if (b->zones[i].needs & needs[n].need)
                text_appendf(m->out, "holdfast_dnssec_zone_need{zone=\"%s\",need=\"%s\"} 1\n",
                             escaped(&m->arena, b->zones[i].name), needs[n].word);
}

/* ---- incidents ---- */

static void incidents_append(struct metrics *m)
{
    static const enum incident_status planned[] = {INCIDENT_SCHEDULED, INCIDENT_IN_PROGRESS,
                                                   INCIDENT_VERIFYING};
    family(m, "holdfast_incidents_unresolved", "gauge",
           "Incidents that operators told of and that are not resolved.");
    for (unsigned i = 0; i < INCIDENT_IMPACTS; i++)
        text_appendf(m->out, "holdfast_incidents_unresolved{impact=\"%s\"} %u\n",
                     incident_impact_name((enum incident_impact)i),
                     incidents_count(m->v, (enum incident_impact)i));
    family(m, "holdfast_maintenance", "gauge", "Planned work that is not completed.");
    for (unsigned i = 0; i < array_length(planned); i++)
        text_appendf(m->out, "holdfast_maintenance{status=\"%s\"} %u\n",
                     incident_status_name(planned[i]), maintenance_count(m->v, planned[i]));
}

/* ---- services ---- */

/* What a line of a service is about. */
enum service_family { SERVICE_MODE, SERVICE_FAIL_OPEN, SERVICE_TTL, SERVICE_VELOCITY };

static void face_append(struct metrics *m, const struct plan_service *s, unsigned ip_family,
                        enum service_family what, const char *name)
{
    const struct plan_face *f = &s->faces[ip_family];
    text_appendf(m->out, "%s{service=\"%s\",family=\"%s\"", name, text_of(m, s->name),
                 ip_family == IP_V4 ? "ipv4" : "ipv6");
    switch (what) {
    case SERVICE_MODE:
        text_appendf(m->out, ",mode=\"%s\"} 1\n", face_mode_name((enum face_mode)f->mode));
        break;
    case SERVICE_FAIL_OPEN:
        text_appendf(m->out, "} %d\n", f->mode != FACE_NORMAL);
        break;
    case SERVICE_TTL:
        text_appendf(m->out, "} %u\n", f->ttl);
        break;
    case SERVICE_VELOCITY:
        text_appendf(m->out, "} %d\n", f->velocity_held);
        break;
    }
}

static void services_append(struct metrics *m)
{
    static const struct {
        enum service_family what;
        const char *name, *help;
    } families[] = {
        {SERVICE_MODE, "holdfast_service_mode", "How the answers come about now, in a label."},
        {SERVICE_FAIL_OPEN, "holdfast_service_fail_open",
         "Whether every member looks dead and the answer is the chosen way out."},
        {SERVICE_TTL, "holdfast_service_ttl_seconds", "TTL of the answers now."},
        {SERVICE_VELOCITY, "holdfast_service_velocity_held",
         "Whether removals are held back by the velocity limit."},
    };
    const struct plan *p = &m->v->plan;
    for (size_t i = 0; i < array_length(families); i++) {
        family(m, families[i].name, "gauge", families[i].help);
        for (uint32_t s = 0; s < p->service_count; s++)
            for (unsigned f = 0; f < IP_FAMILIES; f++)
                if (p->services[s].faces[f].mode != FACE_ABSENT)
                    face_append(m, &p->services[s], f, families[i].what, families[i].name);
    }
}

/* ---- endpoints ---- */

static void endpoints_append(struct metrics *m)
{
    const struct plan *p = &m->v->plan;
    family(m, "holdfast_endpoint_info", "gauge", "Where an endpoint is, in labels.");
    for (uint32_t i = 0; i < p->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[i];
        text_appendf(m->out,
                     "holdfast_endpoint_info{service=\"%s\",endpoint=\"%s\",region=\"%s\","
                     "provider=\"%s\"} 1\n",
                     text_of(m, p->services[e->service].name), text_of(m, e->name),
                     text_of(m, e->region), text_of(m, e->provider));
    }
    family(m, "holdfast_endpoint_admin", "gauge", "The operator's order, in a label.");
    for (uint32_t i = 0; i < p->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[i];
        text_appendf(m->out,
                     "holdfast_endpoint_admin{service=\"%s\",endpoint=\"%s\",state=\"%s\"} 1\n",
                     text_of(m, p->services[e->service].name), text_of(m, e->name),
                     admin_state_name((enum admin_state)e->admin));
    }
}

static void labels_make(struct metrics *m)
{
    const struct plan *p = &m->v->plan;
    m->target_labels = arena_new(&m->arena, p->target_count + 1u, sizeof *m->target_labels);
    for (uint32_t i = 0; i < p->target_count; i++) {
        const struct plan_target *t = &p->targets[i];
        bool name = plan_target_is_name(p, t);
        char address[IP_TEXT_MAX];
        m->target_labels[i] =
            arena_printf(&m->arena, "service=\"%s\",endpoint=\"%s\",%s=\"%s\"%s",
                         text_of(m, p->services[t->service].name),
                         text_of(m, p->endpoints[t->endpoint].name), name ? "name" : "address",
                         name ? text_of(m, t->hostname) : ip_format(&t->address, address),
                         !name                        ? ""
                         : t->address.family == IP_V4 ? ",family=\"ipv4\""
                                                      : ",family=\"ipv6\"");
    }
}

/* The first target from i on that is an address; names are told apart from them. */
static uint32_t address_next(const struct metrics *m, uint32_t i)
{
    const struct plan *p = &m->v->plan;
    while (i < p->target_count && plan_target_is_name(p, &p->targets[i]))
        i++;
    return i;
}

static void flag_append(struct metrics *m, const char *name, const char *help, unsigned flag)
{
    uint32_t count = m->v->plan.target_count;
    family(m, name, "gauge", help);
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1))
        text_appendf(m->out, "%s{%s} %d\n", name, m->target_labels[i],
                     (m->targets[i].flags & flag) != 0);
}

static void verdicts_append(struct metrics *m)
{
    uint32_t count = m->v->plan.target_count;
    family(m, "holdfast_endpoint_up", "gauge", "Whether the endpoint counts as healthy.");
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1)) {
        uint8_t state = m->targets[i].state;
        text_appendf(m->out, "holdfast_endpoint_up{%s} %d\n", m->target_labels[i],
                     state == VERDICT_UP || state == VERDICT_UNCHECKED);
    }
    family(m, "holdfast_endpoint_state", "gauge", "The verdict, in a label.");
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1))
        text_appendf(m->out, "holdfast_endpoint_state{%s,state=\"%s\"} 1\n", m->target_labels[i],
                     verdict_state_name((enum verdict_state)m->targets[i].state));
    family(m, "holdfast_endpoint_reason", "gauge", "What the newest probe saw, in a label.");
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1))
        text_appendf(m->out, "holdfast_endpoint_reason{%s,reason=\"%s\"} 1\n", m->target_labels[i],
                     reason_name((enum reason)m->targets[i].reason));
    flag_append(m, "holdfast_endpoint_served", "Whether the address is in some answer now.",
                TARGET_SERVED);
    flag_append(m, "holdfast_endpoint_held",
                "Whether the address is kept though it looks down: the velocity limit.",
                TARGET_HELD);
    flag_append(m, "holdfast_endpoint_frozen",
                "Whether the verdict stays as it was because its samples are late or stale.",
                TARGET_FROZEN);
}

static void probes_append(struct metrics *m)
{
    uint32_t count = m->v->plan.target_count;
    family(m, "holdfast_probe_duration_seconds", "gauge",
           "Duration of each phase that the newest probe reached.");
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1))
        for (unsigned phase = 0; phase < PHASES; phase++) {
            if (!m->targets[i].phase_us[phase])
                continue;
            text_appendf(m->out, "holdfast_probe_duration_seconds{%s,phase=\"%s\"} ",
                         m->target_labels[i], phase_name((enum phase)phase));
            seconds_append(m->out, m->targets[i].phase_us[phase]);
        }
    family(m, "holdfast_endpoint_certificate_end_timestamp_seconds", "gauge",
           "When the certificate that was seen ends, since 1970.");
    for (uint32_t i = address_next(m, 0); i < count; i = address_next(m, i + 1))
        if (m->targets[i].certificate_end)
            text_appendf(m->out, "holdfast_endpoint_certificate_end_timestamp_seconds{%s} %lld\n",
                         m->target_labels[i], (long long)m->targets[i].certificate_end);
}

static void name_lines(struct metrics *m, const char *name, const char *help, uint8_t finding)
{
    const struct plan live = view_plan(m->v);
    family(m, name, "gauge", help);
    for (uint32_t i = 0; i < live.target_count; i++)
        if (plan_target_is_name(&live, &live.targets[i]))
            text_appendf(m->out, "%s{%s} %d\n", name, m->target_labels[i],
                         finding ? i < live.view_count && live.views[i].finding == finding
                                 : m->targets[i].state == VERDICT_UP);
}

/* Names beside addresses: who alerts on the second knows that it is DNS. */
static void names_append(struct metrics *m)
{
    name_lines(m, "holdfast_endpoint_name_up",
               "Whether the name of the endpoint leads to addresses that answer.", 0);
    name_lines(m, "holdfast_endpoint_name_broken",
               "Whether the name fails while the address beside it answers: DNS.", FINDING_NAME);
    family(m, "holdfast_endpoint_name_reason", "gauge",
           "What the newest probe of the name saw, in a label.");
    for (uint32_t i = 0; i < m->v->plan.target_count; i++)
        if (plan_target_is_name(&m->v->plan, &m->targets[i]))
            text_appendf(m->out, "holdfast_endpoint_name_reason{%s,reason=\"%s\"} 1\n",
                         m->target_labels[i], reason_name((enum reason)m->targets[i].reason));
}

void metrics_render(struct text *out, const struct view *v)
{
    struct metrics m = {.out = out, .v = v, .arena = arena_init()};
    node_append(&m);
    roles_append(&m);
    stats_append(&m);
    if (v->keys)
        keys_append(&m);
    if (v->has_incidents)
        incidents_append(&m);
    if (v->has_plan) {
        m.targets = view_targets(v);
        labels_make(&m);
        zones_append(&m);
        services_append(&m);
        endpoints_append(&m);
        verdicts_append(&m);
        probes_append(&m);
        names_append(&m);
    }
    arena_done(&m.arena);
}
