/* Operators: they flip controls under rules, order endpoints, take changes back, change who belongs
 * to the cluster, and ask again with the same token where they got no answer. */
#include "sim/cluster.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each control gates, in cluster_plan.c's world. */
static const char *const gates[] = {",\"gates\":[\"region:s1\"]", ",\"gates\":[\"region:s2\"]", "",
                                    ",\"gates\":[\"endpoint:www.example.com/w1\"]", ""};

enum { CONTROLS = 5, ENDPOINTS = 6, VOTERS_MIN = 3, VOTERS_MAX = 5, SHIFT_MOST_MS = 5000 };

/* ---- asking ---- */

static void op_told(void *context, int err, const char *sentence)
{
    struct sim_op *op = context;
    struct cluster *c = op->cluster;
    uint64_t version = 0;
    op->under_way = false;
    cluster_say(c, "%s at n%u: %s: %s", op->token, op->node + 1, err ? err_name(err) : "done",
                sentence);
    c->seen[SEEN_CONFIRMED] += !err;
    c->seen[SEEN_REFUSED] += err == ERR_CONFLICT;
    c->seen[SEEN_NO_QUORUM] += err == ERR_QUORUM;
    c->seen[SEEN_UNSURE] += err == ERR_UNSURE;
    if (err == ERR_UNSURE) {
        op->unsure = true;
    } else if (err) {
        op->refused |= !op->done;
    } else {
        if (!strncmp(sentence, "change ", 7))
            version = strtoull(sentence + 7, NULL, 10);
        if (op->done && op->version != version)
            cluster_wrong(c, "%s was change %llu and is change %llu when asked again", op->token,
                          (unsigned long long)op->version, (unsigned long long)version);
        if (!op->done)
            op->told_ms = c->now;
        op->done = true;
        op->version = version;
    }
}

void op_submit(struct sim_op *op, unsigned node)
{
    struct sim_node *n = &op->cluster->nodes[node];
    invariant(!op->under_way && n->up);
    op->under_way = true;
    op->node = node;
    replica_submit(n->replica, (struct bytes){(const uint8_t *)op->request, strlen(op->request)},
                   op_told, op);
}

struct sim_op *op_new(struct cluster *c, const char *format, ...)
{
    struct text body = text_init(2000), request = text_init(2200);
    va_list args;
    invariant(c->op_count < CLUSTER_OPS_MAX);
    struct sim_op *op = &c->ops[c->op_count++];
    c->seen[SEEN_REQUESTS]++;
    *op = (struct sim_op){.cluster = c, .asked_ms = c->now};
    snprintf(op->token, sizeof op->token, "t%u", c->op_count);
    va_start(args, format);
    text_vappendf(&body, format, args);
    va_end(args);
    text_appendf(&request, "{\"author\":\"ana\",\"token\":\"%s\",%s}", op->token,
                 text_string(&body));
    op->request = mem_string(text_string(&request));
    text_done(&body);
    text_done(&request);
    return op;
}

static int node_any(struct cluster *c)
{
    for (unsigned tries = 0; tries < 20; tries++) {
        unsigned i = random_below(&c->operators, c->node_count);
        if (c->nodes[i].up && !c->nodes[i].expelled && c->nodes[i].paused_until <= c->now)
            return (int)i;
    }
    return -1;
}

/* ---- what they want ---- */

static void flip(struct cluster *c, struct text *out)
{
    static const char *const overrides[] = {"", "", "", ",\"overrides\":[\"p/one\"]",
                                            ",\"overrides\":[\"p/gate\",\"p/one\"]"};
    unsigned first = random_below(&c->operators, CONTROLS);
    unsigned count = 1 + random_below(&c->operators, 3);
    text_append(out, "\"op\":\"change\",\"edits\":[");
    for (unsigned i = 0; i < count; i++) {
        unsigned which = (first + i) % CONTROLS;
        text_appendf(out,
                     "%s{\"kind\":\"control\",\"name\":\"p/%c\",\"value\":{\"state\":\"%s\"%s}}",
                     i ? "," : "", (char)('a' + which),
                     random_below(&c->operators, 2) ? "On" : "Off", gates[which]);
    }
    text_append(out, "]");
    if (c->saboteur == SABOTEUR_NO_RULES)
        text_append(out, ",\"overrides\":[]");
    else
        text_append(out, overrides[random_below(&c->operators, array_length(overrides))]);
}

static void order(struct cluster *c, struct text *out)
{
    static const char *const states[] = {"drained", "disabled", "forced-up"};
    unsigned which = random_below(&c->operators, ENDPOINTS), state = random_below(&c->operators, 3);
    text_appendf(out,
                 "\"op\":\"change\",\"reason\":\"r%u\",\"edits\":[{\"kind\":\"endpoint\",\"name\":"
                 "\"api.example.com/e%u\",\"value\":{\"state\":\"%s\"}}]",
                 random_below(&c->operators, 1000), which, states[state]);
}

/* When it ends: soon, or by a clock that is ahead alone; never around the last check. */
static int64_t shift_end(struct cluster *c, const struct sim_node *n)
{
    int64_t start = n->port.wall_ms((void *)(uintptr_t)n) - n->wall_offset_ms - c->now;
    if (random_below(&c->operators, 2))
        return start + c->now + 500 + random_below(&c->operators, SHIFT_MOST_MS);
    return start + CLUSTER_CHAOS_MS + CLUSTER_HEAL_MS + 1000 +
           random_below(&c->operators, SHIFT_MOST_MS);
}

/* It is said again, ends early, or ends by itself. */
static void shift(struct cluster *c, const struct sim_node *n, struct text *out)
{
    static const char *const scopes[] = {"region:s1", "region:far", "endpoint:api.example.com/e3"};
    const char *scope = scopes[random_below(&c->operators, array_length(scopes))];
    c->seen[SEEN_SHIFTS]++;
    text_appendf(
        out, "\"op\":\"change\",\"edits\":[{\"kind\":\"shift\",\"name\":\"%s\",\"value\":", scope);
    if (intent_find(&n->intent, INTENT_SHIFT, scope) && random_below(&c->operators, 2))
        text_append(out, "null}]");
    else
        text_appendf(out, "{\"expires_ms\":%lld}}]", (long long)shift_end(c, n));
}

/* Opened, told about, ended; refused where it stands otherwise. */
static void incident(struct cluster *c, struct text *out)
{
    static const char *const what[] = {
        "open\",\"title\":\"t",         "update\",\"status\":\"identified",
        "update\",\"message\":\"more",  "update\",\"status\":\"monitoring",
        "resolve\",\"message\":\"over", "update\",\"status\":\"postmortem"};
    text_appendf(out, "\"op\":\"incident\",\"incident\":\"i%u\",\"do\":\"%s\"",
                 random_below(&c->operators, 3),
                 what[random_below(&c->operators, array_length(what))]);
}

static void rule(struct cluster *c, struct text *out)
{
    unsigned which = random_below(&c->operators, 3);
    text_appendf(
        out,
        "\"op\":\"change\",\"edits\":[{\"kind\":\"rule\",\"name\":\"p/r%u\",\"value\":", which);
    if (random_below(&c->operators, 3) == 0)
        text_append(out, "null}]");
    else
        text_appendf(out,
                     "{\"type\":\"%s\",\"controls\":[\"%c\",\"%c\"],%s\"rule\":\"%s\",%s"
                     "\"inverted\":%s,\"wait_ms\":%u}}]",
                     which == 2 ? "gating" : "assertion", 'a' + (int)which, 'b' + (int)which,
                     which == 2 ? "\"targets\":[\"a\"]," : "",
                     random_below(&c->operators, 2) ? "ATLEAST" : "OR", "\"threshold\":1,",
                     random_below(&c->operators, 4) ? "false" : "true",
                     random_below(&c->operators, 2000));
}

/* A change that was about the members is not taken back: that would expel somebody, or bring back
 * who was expelled. */
static bool undo(struct cluster *c, const struct intent *intent, struct text *out)
{
    uint64_t number = 2 + random_below(&c->operators, 60);
    for (uint32_t i = 0; i < intent->history_count; i++)
        for (uint32_t k = 0; k < intent->history[i]->edit_count; k++)
            if (intent->history[i]->version == number &&
                !strncmp(intent->history[i]->edits[k].name, "cluster/", 8))
                return false;
    c->seen[SEEN_UNDOS] += number <= intent->version;
    text_appendf(out, "\"op\":\"undo\",\"change\":%u", (unsigned)number);
    return number <= intent->version;
}

/* ---- members ---- */

static unsigned voters_wanted(const struct sim_node *n)
{
    struct replica_member list[REPLICA_MEMBERS_MAX];
    unsigned count = n->machine.members(n->machine.context, list, REPLICA_MEMBERS_MAX), voters = 0;
    for (unsigned i = 0; i < count; i++)
        voters += list[i].voter;
    return voters;
}

const struct intent_object *cluster_member(const struct sim_node *n, uint64_t id)
{
    char name[32];
    snprintf(name, sizeof name, "cluster/%llu", (unsigned long long)id);
    return intent_find(&n->intent, INTENT_ENDPOINT, name);
}

/* All members that this node knows run, none is ruined, and libraft is where the intent is and a
 * majority has agreed to it: one more can be missed. (A leader counts with a change of the voters
 * from when it appends it; lost with it, it never was, and two voters may be all there are.) */
static bool is_calm(struct cluster *c, const struct sim_node *n)
{
    struct replica_view v;
    struct replica_member list[REPLICA_MEMBERS_MAX];
    replica_look(n->replica, &v);
    unsigned count = n->machine.members(n->machine.context, list, REPLICA_MEMBERS_MAX);
    if (v.state != REPLICA_LEADS || !v.members_agreed || v.peer_count != count ||
        v.voters != voters_wanted(n))
        return false;
    for (unsigned i = 0; i < v.peer_count; i++) {
        const struct sim_node *peer = node_find(c, v.peers[i].id);
        if (!v.peers[i].linked || !peer || peer->ruined)
            return false;
    }
    return true;
}

bool cluster_is_calm(struct cluster *c)
{
    for (unsigned i = 0; i < c->node_count; i++)
        if (c->nodes[i].up && is_calm(c, &c->nodes[i]))
            return voters_wanted(&c->nodes[i]) >= VOTERS_MIN;
    return false;
}

static void member_say(struct text *out, uint64_t id, const char *state)
{
    text_appendf(out,
                 "\"op\":\"change\",\"edits\":[{\"kind\":\"endpoint\",\"name\":\"cluster/%llu\",",
                 (unsigned long long)id);
    if (state)
        text_appendf(out, "\"value\":{\"state\":\"%s\"}}]", state);
    else
        text_append(out, "\"value\":null}]");
}

/* A voter more, one less, a new node, one that is expelled. False: that does not fit. */
static bool member_try(struct cluster *c, const struct sim_node *n, struct text *out)
{
    struct sim_node *other = &c->nodes[random_below(&c->operators, c->node_count)];
    const struct intent_object *o = cluster_member(n, other->id);
    bool voter = o && o->state == ADMIN_FORCED_UP;
    unsigned voters = voters_wanted(n), what = random_below(&c->operators, 8);
    if (what == 0 && c->node_count < CLUSTER_NODES_MAX) {
        other = node_add(c);
        node_start(other);
        c->seen[SEEN_JOINS]++;
        member_say(out, other->id, "drained");
    } else if (what <= 3 && o && !voter && voters < VOTERS_MAX) {
        c->seen[SEEN_PROMOTIONS]++;
        member_say(out, other->id, "forced-up");
    } else if (what <= 5 && voter && voters > VOTERS_MIN) {
        c->seen[SEEN_DEMOTIONS]++;
        member_say(out, other->id, "drained");
    } else if (what == 6 && o && (!voter || voters > VOTERS_MIN)) {
        c->seen[SEEN_EXPULSIONS]++;
        member_say(out, other->id, NULL);
    } else {
        return false;
    }
    return true;
}

/* False: not now. */
static bool member(struct cluster *c, const struct sim_node *n, struct text *out)
{
    bool done = false;
    for (unsigned tries = 0; !done && is_calm(c, n) && tries < 4; tries++)
        done = member_try(c, n, out);
    return done;
}

/* A member whose disk is damaged is demoted, to begin anew, or expelled, and another takes its
 * place. */
static bool replace(struct cluster *c, const struct sim_node *n, struct text *out)
{
    for (unsigned i = 0; i < c->node_count; i++) {
        const struct intent_object *o = cluster_member(n, c->nodes[i].id);
        if (!c->nodes[i].ruined || c->nodes[i].expelled || !o)
            continue;
        bool demotes = random_below(&c->operators, 4) > 0;
        if (demotes && o->state != ADMIN_FORCED_UP)
            continue;
        member_say(out, c->nodes[i].id, demotes ? "drained" : NULL);
        return true;
    }
    return false;
}

/* ---- all of it ---- */

static void again(struct cluster *c)
{
    for (unsigned i = 0; i < c->op_count; i++) {
        struct sim_op *op = &c->ops[i];
        int node = node_any(c);
        bool wants = (op->unsure && !op->done && !op->refused) ||
                     (op->version && random_below(&c->operators, 400) == 0);
        if (node >= 0 && !op->under_way && wants && random_below(&c->operators, 5) == 0) {
            c->seen[SEEN_RETRIES]++;
            op_submit(op, (unsigned)node);
        }
    }
}

void cluster_operate(struct cluster *c)
{
    struct text body = text_init(1500);
    int node = node_any(c);
    unsigned what = random_below(&c->operators, 20);
    again(c);
    if (node < 0 || c->op_count > CLUSTER_OPS_MAX - 10)
        return;
    if (what < 2 ? !member(c, &c->nodes[node], &body)
                 : what > 2 || !replace(c, &c->nodes[node], &body)) {
        if (what < 10)
            flip(c, &body);
        else if (what < 15)
            order(c, &body);
        else if (what == 15)
            shift(c, &c->nodes[node], &body);
        else if (what == 16)
            incident(c, &body);
        else if (what < 18 || !undo(c, &c->nodes[node].intent, &body)) {
            text_reset(&body);
            rule(c, &body);
        }
    }
    op_submit(op_new(c, "%s", text_string(&body)), (unsigned)node);
    text_done(&body);
}

/* What the first node is founded with. */
void operator_found(struct intent *intent, struct random *random)
{
    static const char *const objects[][3] = {
        {"panel", "p", "{}"},
        {"control", "p/a", "{\"state\":\"On\",\"gates\":[\"region:s1\"]}"},
        {"control", "p/b", "{\"state\":\"On\",\"gates\":[\"region:s2\"]}"},
        {"control", "p/c", "{\"state\":\"On\"}"},
        {"control", "p/d", "{\"state\":\"On\",\"gates\":[\"endpoint:www.example.com/w1\"]}"},
        {"control", "p/e", "{\"state\":\"On\"}"},
        {"rule", "p/one",
         "{\"type\":\"assertion\",\"controls\":[\"a\",\"b\",\"c\"],\"rule\":\"ATLEAST\","
         "\"threshold\":2,\"inverted\":false,\"wait_ms\":0}"},
        {"rule", "p/gate",
         "{\"type\":\"gating\",\"controls\":[\"e\"],\"targets\":[\"d\"],\"rule\":\"AND\","
         "\"threshold\":1,\"inverted\":false,\"wait_ms\":0}"},
    };
    struct intent_edit edits[array_length(objects) + VOTERS_MAX];
    char names[VOTERS_MAX][32];
    unsigned count = 0, nodes = random_below(random, 3) ? 3 : 5;
    for (; count < array_length(objects); count++) {
        edits[count] = (struct intent_edit){.name = objects[count][1], .value = objects[count][2]};
        int err = intent_kind_parse(objects[count][0], &edits[count].kind);
        invariant(!err);
    }
    for (unsigned i = 0; i < nodes; i++) {
        snprintf(names[i], sizeof names[i], "cluster/%u", i + 1);
        edits[count++] =
            (struct intent_edit){INTENT_ENDPOINT, names[i], "{\"state\":\"forced-up\"}"};
    }
    struct intent_request r = {
        .author = "founder", .wall_ms = 1, .edits = edits, .edit_count = count};
    struct intent next;
    struct text why = text_init(1000);
    int err = intent_apply(intent, &r, &next, &why);
    invariant(!err);
    intent_done(intent);
    *intent = next;
}
