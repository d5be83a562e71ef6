/* What has to hold, whatever happens:
 *  1. one leader a term                                        check_leaders
 *  2. every node that applies a change applies the same one    check_applied (chains)
 *  3. versions rise by one                                     check_applied
 *  4. after a change every safety rule that it had to keep holds, judged by code of our own
 *                                                              check_applied (rules_check)
 *  5. what was confirmed is there at the end                   check_end (ops_check)
 *  6. in the order in which it was confirmed                   check_end (order_check)
 *  7. no request is carried out twice, or after it was refused
 *                             check_end (tokens_check)
 *  8. healed, all nodes come to the same text in time, and a new request is taken  check_end
 * and what has to hold of plans: cluster_serve.c */
#include "sim/cluster.h"

#include "base/hash.h"
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cluster_wrong(struct cluster *c, const char *format, ...)
{
    va_list args;
    if (c->why.length)
        return; /* the first one tells most */
    text_appendf(&c->why, "at %lld ms: ", (long long)c->now);
    va_start(args, format);
    text_vappendf(&c->why, format, args);
    va_end(args);
}

void cluster_say(const struct cluster *c, const char *format, ...)
{
    va_list args;
    if (!c->talk)
        return;
    printf("%7lld  ", (long long)c->now);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
}

/* ---- the same on every node ---- */

static uint64_t mix(uint64_t chain, const char *text)
{
    return text ? hash64_seeded(text, strlen(text), chain) : hash_mix(chain + 1);
}

uint64_t chain_add(uint64_t chain, const struct intent_change *change)
{
    chain = hash_mix(chain ^ change->version);
    chain = hash_mix(chain ^ (uint64_t)change->wall_ms);
    chain = mix(mix(mix(chain, change->author), change->reason), change->token);
    for (uint32_t i = 0; i < change->edit_count; i++) {
        chain = hash_mix(chain + change->edits[i].kind);
        chain = mix(chain, change->edits[i].name);
        chain = mix(mix(chain, change->edits[i].before), change->edits[i].after);
    }
    return chain;
}

uint64_t chain_of(const struct intent *intent)
{
    uint64_t chain = 0;
    for (uint32_t i = 0; i < intent->history_count; i++)
        chain = chain_add(chain, intent->history[i]);
    return chain;
}

/* ---- rules, without the code that is to be checked ---- */

static bool is_on(const struct intent *i, const char *name)
{
    const struct intent_object *o = intent_find(i, INTENT_CONTROL, name);
    return o && strstr(o->value, "\"On\"");
}

static unsigned count_on(const struct intent *i, const struct intent_names *names)
{
    unsigned on = 0;
    for (uint32_t k = 0; k < names->count; k++)
        on += is_on(i, names->list[k]);
    return on;
}

static bool holds(const struct intent *i, const struct intent_object *rule)
{
    unsigned on = count_on(i, &rule->first), all = rule->first.count;
    bool good = rule->type == RULE_AND  ? on == all
                : rule->type == RULE_OR ? on > 0
                                        : on >= rule->threshold;
    return good != rule->inverted;
}

static bool flips(const struct intent *before, const struct intent *after,
                  const struct intent_names *names)
{
    for (uint32_t k = 0; k < names->count; k++)
        if (intent_find(before, INTENT_CONTROL, names->list[k]) &&
            is_on(before, names->list[k]) != is_on(after, names->list[k]))
            return true;
    return false;
}

static bool is_overridden(const struct intent_change *change, const char *rule)
{
    for (uint32_t i = 0; i < change->overridden.count; i++)
        if (!strcmp(change->overridden.list[i], rule))
            return true;
    return false;
}

static void rules_check(struct sim_node *n, const struct intent *before)
{
    uint32_t count;
    struct intent_object *const *rules = intent_list(before, INTENT_RULE, &count);
    const struct intent_change *change = n->intent.history[n->intent.history_count - 1];
    for (uint32_t i = 0; i < count; i++) {
        const struct intent_object *rule = rules[i];
        bool may = n->cluster->saboteur != SABOTEUR_NO_RULES && is_overridden(change, rule->name);
        if (may || !intent_find(&n->intent, INTENT_RULE, rule->name))
            continue;
        if (!rule->gating && flips(before, &n->intent, &rule->first) && !holds(&n->intent, rule))
            cluster_wrong(n->cluster, "change %llu breaks the rule %s",
                          (unsigned long long)change->version, rule->name);
        if (rule->gating && flips(before, &n->intent, &rule->second) && !holds(before, rule))
            cluster_wrong(n->cluster, "change %llu passes the closed gate %s",
                          (unsigned long long)change->version, rule->name);
    }
}

/* Whoever is no member any more is cut off at once, as the links between nodes do it. */
static void expelled_note(struct sim_node *n)
{
    const struct intent_change *change = n->intent.history[n->intent.history_count - 1];
    for (uint32_t i = 0; i < change->edit_count; i++) {
        const struct intent_edited *e = &change->edits[i];
        if (e->kind != INTENT_ENDPOINT || strncmp(e->name, "cluster/", 8) || e->after)
            continue;
        struct sim_node *gone = node_find(n->cluster, strtoull(e->name + 8, NULL, 10));
        if (gone)
            gone->expelled = true;
    }
}

void check_applied(struct sim_node *n, const struct intent *before)
{
    struct cluster *c = n->cluster;
    uint64_t version = n->intent.version;
    if (version == before->version)
        return;
    if (version != before->version + 1)
        cluster_wrong(c, "node %s goes from version %llu to %llu", n->name,
                      (unsigned long long)before->version, (unsigned long long)version);
    n->chain = chain_add(n->chain, n->intent.history[n->intent.history_count - 1]);
    if (version < array_length(c->chains)) {
        if (!c->chains[version])
            c->chains[version] = n->chain;
        else if (c->chains[version] != n->chain)
            cluster_wrong(c, "node %s applied another change %llu than the nodes before it",
                          n->name, (unsigned long long)version);
    }
    rules_check(n, before);
    expelled_note(n);
}

/* ---- leaders ---- */

void check_leaders(struct cluster *c)
{
    struct replica_view v;
    for (unsigned i = 0; i < c->node_count; i++) {
        if (!c->nodes[i].up)
            continue;
        replica_look(c->nodes[i].replica, &v);
        if (v.state != REPLICA_LEADS || v.term >= CLUSTER_TERMS_MAX)
            continue;
        if (!c->leaders[v.term]) {
            cluster_say(c, "%s leads in term %llu, log %llu, agreed %llu", c->nodes[i].name,
                        (unsigned long long)v.term, (unsigned long long)v.last,
                        (unsigned long long)v.agreed);
            c->leaders[v.term] = c->nodes[i].id;
            c->seen[SEEN_ELECTIONS]++;
        } else if (c->leaders[v.term] != c->nodes[i].id) {
            cluster_wrong(c, "term %llu has two leaders", (unsigned long long)v.term);
        }
    }
}

/* ---- at the end ---- */

static const struct sim_node *reference(const struct cluster *c)
{
    const struct sim_node *best = NULL;
    for (unsigned i = 0; i < c->node_count; i++)
        if (c->nodes[i].up && !c->nodes[i].expelled &&
            (!best || c->nodes[i].intent.version > best->intent.version))
            best = &c->nodes[i];
    return best;
}

static void same_check(struct cluster *c, const struct sim_node *best)
{
    char *expected = intent_encode(&best->intent);
    for (unsigned i = 0; i < c->node_count; i++) {
        const struct sim_node *n = &c->nodes[i];
        if (!n->up || n->expelled || !cluster_member(best, n->id))
            continue;
        char *text = intent_encode(&n->intent);
        if (strcmp(text, expected))
            cluster_wrong(c,
                          "%d ms after all was healed node %s has version %llu, node %s has %llu",
                          CLUSTER_HEAL_MS, n->name, (unsigned long long)n->intent.version,
                          best->name, (unsigned long long)best->intent.version);
        free(text);
    }
    free(expected);
}

static void tokens_check(struct cluster *c, const struct intent *intent)
{
    struct map seen = map_init();
    for (uint32_t i = 0; i < intent->history_count; i++) {
        const char *token = intent->history[i]->token;
        if (token && map_put(&seen, token, strlen(token), intent->history[i]))
            cluster_wrong(c, "the request %s was carried out twice", token);
    }
    map_done(&seen);
}

static void ops_check(struct cluster *c, const struct intent *intent)
{
    for (unsigned i = 0; i < c->op_count; i++) {
        const struct sim_op *op = &c->ops[i];
        const struct told_one *told = told_find(&intent->told, op->token);
        const struct told_one *change = told && told->version ? told : NULL;
        if (op->done && op->version && (!change || change->version != op->version))
            cluster_wrong(c, "%s was confirmed as change %llu and is %s", op->token,
                          (unsigned long long)op->version, change ? "another" : "lost");
        if (op->refused && !op->unsure && change)
            cluster_wrong(c, "%s was refused and is change %llu", op->token,
                          (unsigned long long)change->version);
        if (op->done && !op->version && change)
            cluster_wrong(c, "%s was told to change nothing and is change %llu", op->token,
                          (unsigned long long)change->version);
    }
}

static void order_check(struct cluster *c)
{
    for (unsigned i = 0; i < c->op_count; i++)
        for (unsigned k = 0; k < c->op_count; k++)
            if (c->ops[i].version && c->ops[k].version && c->ops[i].told_ms < c->ops[k].asked_ms &&
                c->ops[i].told_ms && c->ops[i].version > c->ops[k].version)
                cluster_wrong(c, "%s was confirmed before %s was asked for, and comes after it",
                              c->ops[i].token, c->ops[k].token);
}

static void nodes_say(const struct cluster *c)
{
    struct replica_view v;
    for (unsigned i = 0; i < c->node_count; i++) {
        const struct sim_node *n = &c->nodes[i];
        if (!n->up)
            continue;
        replica_look(n->replica, &v);
        cluster_say(c,
                    "%s%s: state %d, leader %llu, term %llu, log %llu, agreed %llu, applied %llu, "
                    "version %llu%s",
                    n->name, n->expelled ? " (expelled)" : "", v.state,
                    (unsigned long long)v.leader, (unsigned long long)v.term,
                    (unsigned long long)v.last, (unsigned long long)v.agreed,
                    (unsigned long long)v.applied, (unsigned long long)n->intent.version, v.halted);
    }
}

void check_end(struct cluster *c)
{
    nodes_say(c);
    const struct sim_node *best = reference(c);
    if (!best) {
        cluster_wrong(c, "no node is left");
        return;
    }
    if (!c->last || !c->last->done || !c->last->version)
        cluster_wrong(c, "%d ms after all was healed %s", CLUSTER_HEAL_MS,
                      c->last ? "no change is taken" : "nobody knew a leader to ask");
    same_check(c, best);
    plans_check(c, best);
    tokens_check(c, &best->intent);
    ops_check(c, &best->intent);
    order_check(c);
}
