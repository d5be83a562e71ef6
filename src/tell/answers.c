#include "tell/answers.h"
#include "wire/dname.h"
#include <string.h>

enum { ANSWERS_SHOWN_MAX = 8 };

static void choice_append(struct text *out, const struct plan *p, uint32_t index, unsigned depth);

static void addresses_append(struct text *out, const struct plan *p, const struct plan_choice *c)
{
    if (c->pick < c->count)
        text_appendf(out, "%u of: ", c->pick);
    for (uint32_t i = 0; i < c->count && i < ANSWERS_SHOWN_MAX; i++) {
        struct ip ip = {.family = c->family};
        char text[IP_TEXT_MAX];
        memcpy(ip.bytes, p->addresses[c->first + i].bytes, sizeof ip.bytes);
        text_appendf(out, "%s%s", i ? " " : "", ip_format(&ip, text));
    }
    if (c->count > ANSWERS_SHOWN_MAX)
        text_appendf(out, " and %u more", c->count - ANSWERS_SHOWN_MAX);
}

/* A choice within a choice stands in brackets where it is one itself. */
static void branch_append(struct text *out, const struct plan *p, uint32_t index, unsigned depth)
{
    uint8_t kind = p->choices[index].kind;
    bool brackets = kind == CHOICE_WEIGHTED || kind == CHOICE_NETWORK;
    text_append(out, brackets ? "(" : "");
    choice_append(out, p, index, depth + 1);
    text_append(out, brackets ? ")" : "");
}

static void weighted_append(struct text *out, const struct plan *p, const struct plan_choice *c,
                            unsigned depth)
{
    uint32_t before = 0, shown = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct plan_branch *b = &p->branches[c->first + i];
        uint32_t weight = b->weight_end - before;
        before = b->weight_end;
        if (!weight)
            continue;
        if (shown == ANSWERS_SHOWN_MAX) {
            text_append(out, ", ...");
            return;
        }
        text_appendf(out, "%s%.3g%% ", shown++ ? ", " : "", 100.0 * weight / c->total);
        branch_append(out, p, b->choice, depth);
    }
}

/* Many rows lead to few branches: each is named once. */
static void network_append(struct text *out, const struct plan *p, const struct plan_choice *c,
                           unsigned depth)
{
    uint32_t seen[ANSWERS_SHOWN_MAX], count = 0;
    text_append(out, "by network: ");
    for (uint32_t i = 0; i <= c->count; i++) {
        uint32_t child = i < c->count ? p->branches[c->first + i].choice : c->otherwise;
        uint32_t known = 0;
        while (known < count && seen[known] != child)
            known++;
        if (known < count)
            continue;
        if (count == ANSWERS_SHOWN_MAX) {
            text_append(out, " | ...");
            return;
        }
        text_append(out, count ? " | " : "");
        seen[count++] = child;
        branch_append(out, p, child, depth);
    }
}

static void choice_append(struct text *out, const struct plan *p, uint32_t index, unsigned depth)
{
    const struct plan_choice *c = &p->choices[index];
    char name[DNAME_TEXT_MAX];
    if (depth > PLAN_DEPTH_MAX)
        return;
    switch ((enum choice_kind)c->kind) {
    case CHOICE_ADDRESSES:
        addresses_append(out, p, c);
        break;
    case CHOICE_WEIGHTED:
        weighted_append(out, p, c, depth);
        break;
    case CHOICE_NETWORK:
        network_append(out, p, c, depth);
        break;
    case CHOICE_NODATA:
        text_append(out, "NODATA");
        break;
    case CHOICE_CNAME:
        text_appendf(out, "CNAME %s", dname_format((const uint8_t *)p->text + c->first, name));
        break;
    }
}

void answers_append(struct text *out, const struct plan *p, uint32_t choice)
{
    if (choice == PLAN_NONE)
        text_append(out, "-");
    else
        choice_append(out, p, choice, 0);
}
