/* Requests of this node: to the leader and back.
 *
 *   WAITS --there is a leader--> SENT --its answer--> DONE --applied here--> answered
 *     \____________________________/ no answer, another leader, no link: again, with the same bytes
 */
#include "replica/replica_parts.h"

#include "base/err.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

static int64_t now(const struct replica *r)
{
    return r->port->now_ms(r->port->context);
}

/* Takes it out of the list and answers. */
static void ask_answer(struct replica *r, struct ask **link, int err, const char *sentence)
{
    struct ask *a = *link;
    *link = a->next;
    if (!a->next)
        r->asks_end = link;
    r->ask_count--;
    a->answer(a->context, err, sentence);
    free(a->sentence);
    free(a->data);
    free(a);
}

static struct ask *ask_find(struct replica *r, uint64_t number)
{
    struct ask *a = r->asks;
    while (a && a->number != number)
        a = a->next;
    return a;
}

/* "2 of 3 voters are needed; b and c cannot be reached" */
static void missing_say(const struct replica *r, struct text *out)
{
    struct replica_view v;
    unsigned named = 0, missing;
    replica_look(r, &v);
    missing = v.voters - v.voters_linked;
    if (!v.voters) {
        text_append(out, "this node has not heard of a leader of its cluster yet");
        return;
    }
    text_appendf(out, "nothing was changed: %u of %u voters are needed to decide, ",
                 v.voters / 2 + 1, v.voters);
    if (!missing)
        text_append(out, "all are linked, and they have no leader yet");
    for (unsigned i = 0; i < v.peer_count; i++)
        if (v.peers[i].voter && !v.peers[i].linked)
            text_appendf(out, "%s%s",
                         !named++           ? ""
                         : named == missing ? " and "
                                            : ", ",
                         r->machine.name(r->machine.context, v.peers[i].id));
    if (missing)
        text_append(out, " cannot be reached from here");
}

static void ask_send(struct replica *r, struct ask *a, uint64_t leader)
{
    a->number = ++r->ask_number;
    struct request_frame f = {.kind = REQUEST_ASK,
                              .number = a->number,
                              .index = r->backend.raft.current_term,
                              .data = {(const uint8_t *)a->data, a->size}};
    if (leader == r->id) {
        lead_gather(r, r->id, a->number, f.data);
    } else {
        struct text bytes = text_init(MESSAGE_REQUEST_MAX + 100);
        request_put(&f, &bytes);
        int err =
            r->port->send(r->port->context, leader, REPLICA_REQUESTS, bytes.data, bytes.length);
        text_done(&bytes);
        if (err)
            return;
    }
    a->state = ASK_SENT;
    a->sent_to = leader;
    a->retry_ms = now(r) + RETRY_MS;
}

/* True: it was answered, and is gone. */
static bool ask_ends(struct replica *r, struct ask **link)
{
    struct ask *a = *link;
    bool late = now(r) >= a->deadline_ms;
    if (a->state == ASK_DONE) {
        if (r->backend.raft.last_applied < a->index && !late && !r->backend.failed)
            return false;
        ask_answer(r, link, a->err, a->sentence);
        return true;
    }
    bool hopeless = r->leaderless_ms &&
                    (!replica_has_quorum(r) || now(r) - r->leaderless_ms >= REPLICA_LEADERLESS_MS);
    if (a->state == ASK_SENT && !late)
        return false;
    if (!late && !hopeless)
        return false;
    if (a->maybe || a->state == ASK_SENT) {
        ask_answer(
            r, link, ERR_UNSURE,
            "it is not known whether this was done: the leader was lost meanwhile; ask again "
            "with the same token, it will not be done twice");
        return true;
    }
    struct text why = text_init(REPLICA_WHY_MAX);
    missing_say(r, &why);
    ask_answer(r, link, ERR_QUORUM, text_string(&why));
    text_done(&why);
    return true;
}

static void ask_go(struct replica *r, struct ask *a)
{
    uint64_t leader = replica_leader(r);
    if (a->state == ASK_SENT && now(r) >= a->retry_ms) {
        a->state = ASK_WAITS;
        a->maybe = true;
    }
    if (a->state == ASK_WAITS && leader && now(r) >= a->retry_ms)
        ask_send(r, a, leader);
}

void asks_go(struct replica *r)
{
    struct ask **link = &r->asks;
    while (*link) {
        if (ask_ends(r, link))
            continue;
        ask_go(r, *link);
        link = &(*link)->next;
    }
}

/* An answer for one of ours. */
void ask_done(struct replica *r, uint64_t number, const struct request_frame *f)
{
    struct ask *a = ask_find(r, number);
    if (!a || a->state == ASK_DONE)
        return;
    if (f->kind == REQUEST_DONE) {
        a->state = ASK_DONE;
        a->err = f->err;
        a->index = f->index;
        a->sentence = mem_new(f->data.length + 1, 1);
        if (f->data.length)
            memcpy(a->sentence, f->data.data, f->data.length);
        return;
    }
    a->state = ASK_WAITS;
    a->maybe |= f->kind == REQUEST_MAYBE;
    a->retry_ms = now(r) + AGAIN_MS;
}

void ask_frame(struct replica *r, const struct request_frame *f, uint64_t node)
{
    struct request_frame no = {.kind = REQUEST_NOT, .number = f->number};
    if (f->kind == REQUEST_LOST) {
        lost_note(r, node, f->number);
    } else if (f->kind == REQUEST_ANEW) {
        lost_told(r, f->number);
    } else if (f->kind != REQUEST_ASK) {
        struct ask *a = ask_find(r, f->number);
        if (a && a->sent_to == node)
            ask_done(r, f->number, f);
    } else if (replica_leader(r) == r->id && !r->closing &&
               f->index == r->backend.raft.current_term) {
        lead_gather(r, node, f->number, f->data);
    } else {
        struct text bytes = text_init(100);
        request_put(&no, &bytes);
        /* where that is lost too, it asks again */
        (void)r->port->send(r->port->context, node, REPLICA_REQUESTS, bytes.data, bytes.length);
        text_done(&bytes);
    }
}

void asks_unlinked(struct replica *r, uint64_t node)
{
    for (struct ask *a = r->asks; a; a = a->next)
        if (a->state == ASK_SENT && a->sent_to == node) {
            a->state = ASK_WAITS;
            a->maybe = true;
            a->retry_ms = 0;
        }
}

void asks_end(struct replica *r)
{
    while (r->asks) {
        struct ask *a = r->asks;
        bool maybe = a->maybe || a->state == ASK_SENT;
        if (a->state == ASK_DONE)
            ask_answer(r, &r->asks, a->err, a->sentence);
        else
            ask_answer(r, &r->asks, maybe ? ERR_UNSURE : ERR_QUORUM,
                       maybe ? "this node stops; ask again with the same token"
                             : "this node stops; nothing was changed");
    }
}

void replica_submit(struct replica *r, struct bytes request, replica_answer *answer, void *context)
{
    if (r->backend.failed || r->closing) {
        answer(context, ERR_REFUSED,
               "this node takes no part in decisions: its log is damaged or cannot be written "
               "(`holdfast nodes` says what to do); ask another node");
        return;
    }
    if (r->ask_count == REPLICA_PENDING_MAX || request.length > MESSAGE_REQUEST_MAX) {
        answer(context, ERR_LIMIT, "too many changes are under way; try again");
        return;
    }
    struct ask *a = mem_new(1, sizeof *a);
    *a = (struct ask){.data = mem_new(request.length + 1, 1),
                      .size = request.length,
                      .deadline_ms = now(r) + REPLICA_TIMEOUT_MS,
                      .answer = answer,
                      .context = context};
    if (request.length)
        memcpy(a->data, request.data, request.length);
    *r->asks_end = a;
    r->asks_end = &a->next;
    r->ask_count++;
    replica_settle(r);
}
