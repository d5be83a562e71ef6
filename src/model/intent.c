#include "model/intent.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/incident.h"
#include "model/intent_object.h"
#include "model/user.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct intent intent_share(const struct intent *intent)
{
    struct intent copy = *intent;
    /* room for what one request adds */
    copy.objects = mem_new(intent->object_count + (size_t)INTENT_EDITS_MAX + 1,
                           sizeof(struct intent_object *));
    copy.history = mem_new(intent->history_count + (size_t)1, sizeof(struct intent_change *));
    for (uint32_t i = 0; i < intent->object_count; i++)
        copy.objects[i] = object_ref(intent->objects[i]);
    for (uint32_t i = 0; i < intent->history_count; i++) {
        copy.history[i] = intent->history[i];
        copy.history[i]->references++;
    }
    copy.told = told_share(&intent->told);
    return copy;
}

void intent_done(struct intent *intent)
{
    for (uint32_t i = 0; i < intent->object_count; i++)
        object_unref(intent->objects[i]);
    for (uint32_t i = 0; i < intent->history_count; i++)
        change_unref(intent->history[i]);
    free(intent->objects);
    free(intent->history);
    told_done(&intent->told);
    *intent = (struct intent){0};
}

const struct intent_object *intent_find(const struct intent *intent, enum intent_kind kind,
                                        const char *name)
{
    uint32_t at = object_position(intent, kind, name);
    if (at == intent->object_count || object_compare(intent->objects[at], kind, name))
        return NULL;
    return intent->objects[at];
}

struct intent_object *const *intent_list(const struct intent *intent, enum intent_kind kind,
                                         uint32_t *ret_count)
{
    uint32_t first = object_position(intent, kind, "");
    uint32_t end = first;
    while (end < intent->object_count && intent->objects[end]->kind == kind)
        end++;
    *ret_count = end - first;
    return *ret_count ? intent->objects + first : NULL;
}

/* ---- changes ---- */

/* Takes `o` (or, NULL, nothing) over in the place of the object of this name. */
static void object_put(struct intent *i, enum intent_kind kind, const char *name,
                       struct intent_object *o)
{
    uint32_t at = object_position(i, kind, name);
    bool there = at < i->object_count && !object_compare(i->objects[at], kind, name);
    if (there) {
        i->object_bytes -= object_bytes(i->objects[at]);
        object_unref(i->objects[at]);
    }
    struct intent_object **place = i->objects + at;
    size_t after = i->object_count - at - there;
    memmove(place + (o != NULL), place + there, after * sizeof(struct intent_object *));
    i->object_count += (o != NULL) - (uint32_t)there;
    if (o) {
        *place = o;
        i->object_bytes += object_bytes(o);
    }
}

static char *string_or_null(const char *text)
{
    return text ? mem_string(text) : NULL;
}

static struct intent_object *edit_decode(const struct intent_edit *e, struct text *why)
{
    const char *wrong = "wants a JSON object";
    json_t *value = json_loads(e->value, JSON_REJECT_DUPLICATES, NULL);
    struct intent_object *o = object_decode(e->kind, e->name, value, &wrong);
    json_decref(value);
    if (!o)
        text_appendf(why, "the %s %s %s", intent_kind_name(e->kind), e->name, wrong);
    return o;
}

static int shift_check(const struct intent_object *o, int64_t wall_ms, struct text *why)
{
    if (o->kind != INTENT_SHIFT ||
        (o->expires_ms > wall_ms && o->expires_ms - wall_ms <= INTENT_SHIFT_MAX_MS))
        return 0;
    text_appendf(why, "a shift away from %s ends in the future, and within 72 hours", o->name);
    return ERR_INVALID;
}

/* An access key is one user's. */
static int keys_check(const struct intent *i, const struct intent_object *o, struct text *why)
{
    for (unsigned k = 0; o->user && k < o->user->key_count; k++) {
        const struct user_key *key;
        const char *id = o->user->keys[k].id;
        const struct intent_object *other = user_find(i, id, strlen(id), &key);
        if (!other || !strcmp(other->name, o->name))
            continue;
        text_appendf(why, "the access key %s is one of the user %s", id, other->name);
        return ERR_CONFLICT;
    }
    return 0;
}

/* What an object has of the one that it takes the place of. */
struct past {
    bool there, on;
    int64_t flipped_ms;
    char id[INTENT_ID_SIZE + 1];
};

static struct past past_of(const struct intent_object *o)
{
    struct past p = {.there = o != NULL};
    if (o) {
        p.on = o->on;
        p.flipped_ms = o->flipped_ms;
        memcpy(p.id, o->id, sizeof p.id);
    }
    return p;
}

static void object_make(struct intent_object *o, const struct past *was,
                        const struct intent_request *r, const struct intent_change *change)
{
    o->version = change->version;
    o->wall_ms = change->wall_ms;
    o->author = mem_string(r->author);
    o->reason = string_or_null(r->reason);
    if (o->kind == INTENT_CONTROL && was->there)
        o->flipped_ms = was->on == o->on ? was->flipped_ms : change->wall_ms;
    if (was->there)
        memcpy(o->id, was->id, sizeof o->id);
    else
        object_id_make(o);
}

static void edited_add(struct intent_change *change, enum intent_kind kind, const char *name,
                       const struct intent_object *before, const struct intent_object *after)
{
    change->edits[change->edit_count++] =
        (struct intent_edited){.kind = kind,
                               .name = mem_string(name),
                               .before = before ? mem_string(before->value) : NULL,
                               .after = after ? mem_string(after->value) : NULL};
}

/* Is there what the edit is about, and not what it is not? */
static int edit_check(const struct intent *next, const struct intent_edit *e,
                      const struct intent_change *change, struct text *why)
{
    const struct intent_object *was = intent_find(next, e->kind, e->name);
    const char *missing = e->from && !intent_find(next, e->kind, e->from) ? e->from
                          : !e->value && !was                             ? e->name
                                                                          : NULL;
    if (missing) {
        text_appendf(why, "there is no %s %s", intent_kind_name(e->kind), missing);
        return ERR_MISSING;
    }
    if ((e->create || e->from) && was) {
        text_appendf(why, "there is a %s %s already", intent_kind_name(e->kind), e->name);
        return ERR_CONFLICT;
    }
    if (change->edit_count + 1 + (e->from != NULL) > INTENT_EDITS_MAX) {
        text_appendf(why, "one change is of at most %d objects", INTENT_EDITS_MAX);
        return ERR_LIMIT;
    }
    return 0;
}

/* One edit, noted in `change` where it changes anything. */
static int edit_apply(struct intent *next, const struct intent_edit *e,
                      const struct intent_request *r, struct intent_change *change,
                      struct text *why)
{
    struct intent_object *o = NULL;
    int err = edit_check(next, e, change, why);
    if (err)
        return err;
    if (e->value && !(o = edit_decode(e, why)))
        return ERR_INVALID;
    const struct intent_object *was = intent_find(next, e->kind, e->from ? e->from : e->name);
    err = o ? shift_check(o, change->wall_ms, why) : 0;
    err = err || !o ? err : keys_check(next, o, why);
    if (err || (o && was && !e->from && !strcmp(o->value, was->value))) {
        object_unref(o);
        return err;
    }
    struct past past = past_of(was);
    if (e->from) {
        edited_add(change, e->kind, e->from, was, NULL);
        object_put(next, e->kind, e->from, NULL);
        was = NULL;
    }
    edited_add(change, e->kind, e->name, was, o);
    if (o)
        object_make(o, &past, r, change);
    object_put(next, e->kind, e->name, o);
    return 0;
}

int64_t intent_wall(const struct intent *i, int64_t wall_ms)
{
    const struct intent_change *newest = i->history_count ? i->history[i->history_count - 1] : NULL;
    return newest && newest->wall_ms > wall_ms ? newest->wall_ms : wall_ms;
}

uint64_t intent_change_newest(const struct intent *intent, enum intent_kind kind, const char *name)
{
    const struct intent_object *o = intent_find(intent, kind, name);
    return !o ? 0 : o->touched > o->version ? o->touched : o->version;
}

/* Is everything still what whoever asks has seen? */
static int expects_check(const struct intent *old, const struct intent_request *r, struct text *why)
{
    for (unsigned i = 0; i < r->expect_count; i++) {
        const struct intent_expected *e = &r->expects[i];
        uint64_t newest = intent_change_newest(old, e->kind, e->name);
        if (newest == e->change)
            continue;
        text_appendf(why, "the %s %s ", intent_kind_name(e->kind), e->name);
        if (newest)
            text_appendf(why, "was changed by change %llu meanwhile", (unsigned long long)newest);
        else
            text_append(why, "is gone");
        return ERR_CONFLICT;
    }
    return 0;
}

void intent_tell(struct intent *intent, const char *token, int err, const char *sentence,
                 int64_t wall_ms)
{
    told_add(&intent->told, token, 0, err, sentence, intent_wall(intent, wall_ms));
}

static bool text_fits(const char *text, size_t max)
{
    return !text || (*text && strlen(text) <= max);
}

static int request_check(const struct intent_request *r, struct text *why)
{
    if (!r->author || !text_fits(r->author, INTENT_TEXT_MAX) ||
        !text_fits(r->reason, INTENT_TEXT_MAX) || !text_fits(r->token, INTENT_TOKEN_MAX)) {
        text_appendf(why, "a change wants an author and may have a reason, of at most %d bytes",
                     INTENT_TEXT_MAX);
        return ERR_INVALID;
    }
    if (r->edit_count > INTENT_EDITS_MAX || r->override_count > INTENT_OVERRIDES_MAX ||
        r->expect_count > INTENT_EXPECTS_MAX) {
        text_appendf(why, "one change is of at most %d objects, and sets at most %d rules aside",
                     INTENT_EDITS_MAX, INTENT_OVERRIDES_MAX);
        return ERR_LIMIT;
    }
    return 0;
}

static struct intent_change *change_new(const struct intent *old, const struct intent_request *r)
{
    struct intent_change *c = mem_new(1, sizeof *c);
    *c = (struct intent_change){
        .references = 1,
        .version = old->version + 1,
        .wall_ms = intent_wall(old, r->wall_ms),
        .author = mem_string(r->author),
        .reason = string_or_null(r->reason),
        .token = string_or_null(r->token),
        .edits = mem_new(2 * r->edit_count + (size_t)1, sizeof *c->edits),
    };
    c->overridden.list = mem_new(r->override_count + (size_t)1, sizeof(char *));
    for (unsigned i = 0; i < r->override_count; i++)
        c->overridden.list[c->overridden.count++] = mem_string(r->overrides[i]);
    return c;
}

static void oldest_forget(struct intent *next)
{
    next->history_bytes -= next->history[0]->bytes;
    change_unref(next->history[0]);
    memmove(next->history, next->history + 1,
            --next->history_count * sizeof(struct intent_change *));
}

/* Takes the change over. */
static void history_put(struct intent *next, struct intent_change *c)
{
    c->bytes = change_bytes(c);
    next->history_bytes += c->bytes;
    while (next->history_count && (next->history_count == INTENT_HISTORY_MAX ||
                                   next->history_bytes > INTENT_HISTORY_BYTES_MAX))
        oldest_forget(next);
    next->history[next->history_count++] = c;
    next->version = c->version;
    if (c->token)
        told_add(&next->told, c->token, c->version, 0, NULL, c->wall_ms);
}

static int incidents_check(const struct intent *i, struct text *why)
{
    uint32_t count;
    intent_list(i, INTENT_INCIDENT, &count);
    if (count <= INCIDENTS_MAX)
        return 0;
    text_appendf(why, "there are at most %d incidents; remove one first", INCIDENTS_MAX);
    return ERR_LIMIT;
}

static int edits_apply(const struct intent *old, const struct intent_request *r,
                       struct intent_change *c, struct intent *next, struct text *why)
{
    int err = 0;
    for (unsigned i = 0; i < r->edit_count && !err; i++)
        err = edit_apply(next, &r->edits[i], r, c, why);
    zones_touch(next, c);
    if (!err && next->object_count > INTENT_OBJECTS_MAX) {
        text_appendf(why, "there are at most %d objects; remove some first", INTENT_OBJECTS_MAX);
        err = ERR_LIMIT;
    }
    if (!err && next->object_bytes > INTENT_BYTES_MAX && next->object_bytes > old->object_bytes) {
        text_appendf(why, "all objects have at most %d bytes; remove some first", INTENT_BYTES_MAX);
        err = ERR_LIMIT;
    }
    err = err ? err : incidents_check(next, why);
    err = err ? err : intent_references_check(next, why);
    err = err ? err : intent_nodes_check(old, next, c->wall_ms, why);
    return err ? err : intent_safety_check(old, next, r, c->wall_ms, why);
}

int intent_apply(const struct intent *old, const struct intent_request *request, struct intent *ret,
                 struct text *why)
{
    int err = request_check(request, why);
    if (err)
        return err;
    struct intent next = intent_share(old);
    if (told_find(&old->told, request->token)) {
        *ret = next;
        return 0;
    }
    struct intent_change *c = change_new(old, request);
    err = expects_check(old, request, why);
    err = err ? err : edits_apply(old, request, c, &next, why);
    if (err) {
        change_unref(c);
        intent_done(&next);
        return err;
    }
    if (c->edit_count)
        history_put(&next, c);
    else
        change_unref(c);
    invariant(next.version == old->version || next.version == old->version + 1);
    *ret = next;
    return 0;
}

int intent_order(const struct intent *old, const struct intent_request *request,
                 const char *service, const char *endpoint, enum admin_state state,
                 struct intent *ret, struct text *why)
{
    char name[INTENT_NAME_MAX], value[64];
    struct intent_edit edit = {INTENT_ENDPOINT, intent_endpoint_name(service, endpoint, name),
                               NULL};
    struct intent_request r = *request;
    if (state != ADMIN_AUTO) {
        snprintf(value, sizeof value, "{\"state\":\"%s\"}", admin_state_name(state));
        edit.value = value;
    }
    r.edits = &edit;
    r.edit_count = state != ADMIN_AUTO || intent_find(old, INTENT_ENDPOINT, name) ? 1 : 0;
    return intent_apply(old, &r, ret, why);
}

/* ---- undo ---- */

const struct intent_change *intent_change_find(const struct intent *i, uint64_t version)
{
    for (uint32_t k = 0; k < i->history_count; k++)
        if (i->history[k]->version == version)
            return i->history[k];
    return NULL;
}

/* The newest change after `version` that touched this object, or 0. */
static uint64_t touched_since(const struct intent *i, uint64_t version,
                              const struct intent_edited *e)
{
    uint64_t found = 0;
    for (uint32_t k = 0; k < i->history_count; k++)
        for (uint32_t n = 0; i->history[k]->version > version && n < i->history[k]->edit_count; n++)
            if (i->history[k]->edits[n].kind == e->kind &&
                !strcmp(i->history[k]->edits[n].name, e->name))
                found = i->history[k]->version;
    return found;
}

int intent_undo(const struct intent *intent, uint64_t version, struct intent_edit **ret_edits,
                unsigned *ret_count, struct text *why)
{
    const struct intent_change *c = intent_change_find(intent, version);
    if (!c) {
        text_appendf(why, "there is no change %llu among the newest %d",
                     (unsigned long long)version, INTENT_HISTORY_MAX);
        return ERR_MISSING;
    }
    for (uint32_t i = 0; i < c->edit_count; i++) {
        uint64_t later = touched_since(intent, version, &c->edits[i]);
        if (!later)
            continue;
        text_appendf(why, "the %s %s was changed again by change %llu: undo that one first",
                     intent_kind_name(c->edits[i].kind), c->edits[i].name,
                     (unsigned long long)later);
        return ERR_CONFLICT;
    }
    struct intent_edit *edits = mem_new(c->edit_count + (size_t)1, sizeof *edits);
    for (uint32_t i = 0; i < c->edit_count; i++) {
        const struct intent_edited *e = &c->edits[c->edit_count - 1 - i];
        edits[i] = (struct intent_edit){e->kind, mem_string(e->name), string_or_null(e->before)};
    }
    *ret_edits = edits;
    *ret_count = c->edit_count;
    return 0;
}

void intent_edits_free(struct intent_edit *edits, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        free((char *)edits[i].from);
        free((char *)edits[i].name);
        free((char *)edits[i].value);
    }
    free(edits);
}
