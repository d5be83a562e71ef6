#include "model/catalog.h"
#include "base/err.h"
#include "wire/dns.h"
#include <stdlib.h>
#include <string.h>

static const uint8_t version_label[] = "\7version", zones_label[] = "\5zones",
                     coo_label[] = "\3coo", group_label[] = "\5group";

static int member_compare(const void *a, const void *b)
{
    return strcmp(((const struct catalog_member *)a)->name,
                  ((const struct catalog_member *)b)->name);
}

void catalog_done(struct catalog *c)
{
    arena_done(&c->arena);
    *c = (struct catalog){.members = NULL};
}

const struct catalog_member *catalog_find(const struct catalog *c, const char *name)
{
    struct catalog_member key = {.name = name};
    return c->count ? bsearch(&key, c->members, c->count, sizeof key, member_compare) : NULL;
}

static const char *name_keep(struct catalog *c, const uint8_t *name)
{
    char text[DNAME_TEXT_MAX];
    dname_format(name, text);
    return arena_string(&c->arena, text, strlen(text));
}

static const char *label_keep(struct catalog *c, const uint8_t *label)
{
    uint8_t name[DNAME_LABEL_MAX + 2];
    memcpy(name, label, *label + 1u);
    name[*label + 1] = 0;
    return name_keep(c, name);
}

/* ---- the zone ---- */

/* The name's labels before the catalog's own; NULL where it is the catalog's. */
static bool labels_before(const struct held_content *content, const uint8_t *name, size_t length,
                          const uint8_t *ret[static 3], unsigned *ret_count)
{
    size_t at = 0, end = length - content->origin_length;
    *ret_count = 0;
    for (; at < end; at += name[at] + 1u) {
        if (*ret_count == 3)
            return false;
        ret[(*ret_count)++] = name + at;
    }
    return *ret_count > 0;
}

static bool label_is(const uint8_t *label, const uint8_t *word)
{
    return *label == *word && !memcmp(label + 1, word + 1, *word);
}

/* 3.1: one TXT record that says "2". */
static bool version_fits(const struct held_content *content)
{
    uint8_t name[DNAME_MAX];
    size_t length = sizeof version_label - 1;
    if (length + content->origin_length > DNAME_MAX)
        return false;
    memcpy(name, version_label, length);
    memcpy(name + length, content->origin, content->origin_length);
    const struct held_name *n = held_name_find(content, name, length + content->origin_length);
    const struct held_record *r = held_set_first(n, DNS_TXT);
    return r && !held_set_next(r) && r->length == 2 && !memcmp(r->rdata, "\0012", 2);
}

/* The only PTR record at a name; NULL: none, or several (*several). */
static const struct held_record *pointer_of(const struct held_name *n, bool *several)
{
    const struct held_record *r = held_set_first(n, DNS_PTR);
    *several = r && held_set_next(r);
    return *several ? NULL : r;
}

/* The name of a member's property; NULL: it has none. */
static const struct held_name *property_find(const struct held_content *content,
                                             const struct held_name *n, const uint8_t *label)
{
    uint8_t name[DNAME_MAX];
    size_t length = label[0] + 1u;
    if (length + n->length > DNAME_MAX)
        return NULL;
    memcpy(name, label, length);
    memcpy(name + length, n->name, n->length);
    return held_name_find(content, name, length + n->length);
}

static const uint8_t *coo_find(const struct held_content *content, const struct held_name *n)
{
    bool several;
    const struct held_record *r = pointer_of(property_find(content, n, coo_label), &several);
    return r ? r->rdata : NULL;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void groups_read(struct catalog *c, const struct held_content *content,
                        const struct held_name *n, struct catalog_member *m)
{
    const struct held_record *r = held_set_first(property_find(content, n, group_label), DNS_TXT);
    for (; r && m->group_count < CATALOG_GROUPS_MAX; r = held_set_next(r)) {
        uint8_t name[DNAME_LABEL_MAX + 2];
        size_t length = r->length ? r->rdata[0] : 0;
        if (!length || length > DNAME_LABEL_MAX || length + 1 != r->length)
            continue;
        name[0] = (uint8_t)length;
        for (size_t i = 1; i <= length; i++)
            name[i] = (uint8_t)(r->rdata[i] + (r->rdata[i] >= 'A' && r->rdata[i] <= 'Z') * 32);
        name[length + 1] = 0;
        m->groups[m->group_count++] = name_keep(c, name);
    }
    qsort(m->groups, m->group_count, sizeof *m->groups, text_compare);
}

static int members_collect(const struct held_content *content, struct catalog *c,
                           const char **ret_reason)
{
    size_t size = 0;
    struct catalog_member *list = NULL;
    int err = 0;
    for (const struct held_name *n = content->first; n && !err; n = n->next) {
        const uint8_t *labels[3];
        unsigned count;
        bool several;
        if (!n->records || !labels_before(content, n->name, n->length, labels, &count) ||
            count != 2 || !label_is(labels[1], zones_label))
            continue;
        const struct held_record *r = pointer_of(n, &several);
        if (several || c->count == CATALOG_MEMBERS_MAX) {
            *ret_reason = several ? "a member has more than one PTR record" : "too many members";
            err = ERR_INVALID;
        } else if (r) {
            const uint8_t *coo = coo_find(content, n);
            list = mem_grow(list, c->count, &size, sizeof *list);
            list[c->count] = (struct catalog_member){.name = name_keep(c, r->rdata),
                                                     .label = label_keep(c, labels[0]),
                                                     .coo = coo ? name_keep(c, coo) : NULL};
            groups_read(c, content, n, &list[c->count++]);
        }
    }
    c->members = arena_new(&c->arena, c->count + (size_t)1, sizeof *c->members);
    if (c->count)
        memcpy(c->members, list, c->count * sizeof *list);
    free(list);
    return err;
}

static bool members_sort(struct catalog *c)
{
    qsort(c->members, c->count, sizeof *c->members, member_compare);
    for (uint32_t i = 1; i < c->count; i++)
        if (!strcmp(c->members[i - 1].name, c->members[i].name))
            return false;
    return true;
}

int catalog_read(const struct held_content *content, struct catalog *ret, const char **ret_reason)
{
    struct catalog c = {.arena = arena_init()};
    int err = 0;
    if (!version_fits(content)) {
        *ret_reason = "it is no catalog of version 2";
        err = ERR_INVALID;
    }
    if (!err)
        err = members_collect(content, &c, ret_reason);
    if (!err && !members_sort(&c)) {
        *ret_reason = "a zone is listed twice";
        err = ERR_INVALID;
    }
    if (err)
        catalog_done(&c);
    else
        *ret = c;
    return err;
}

/* ---- text ---- */

void catalog_format(const struct catalog_member *members, uint32_t count, struct text *out)
{
    for (uint32_t i = 0; i < count; i++) {
        text_appendf(out, "%s %s", members[i].name, members[i].label);
        for (unsigned k = 0; k < members[i].group_count; k++)
            text_appendf(out, " %s", members[i].groups[k]);
        text_append(out, "\n");
    }
}

/* A name as dname_format writes it, to the next space or line, which *at is at then. */
static const char *word_take(struct catalog *c, const char **at, const char *end)
{
    uint8_t wire[DNAME_MAX];
    size_t length = 0, most = (size_t)(end - *at);
    while (length < most && (*at)[length] != ' ' && (*at)[length] != '\n')
        length++;
    if (length == most || dname_parse(*at, length, NULL, wire) < 0)
        return NULL;
    *at += length;
    return name_keep(c, wire);
}

static const char *next_take(struct catalog *c, const char **at, const char *end)
{
    if (*at == end || **at != ' ')
        return NULL;
    ++*at;
    return word_take(c, at, end);
}

static int line_take(struct catalog *c, const char **at, const char *end, struct catalog_member *m)
{
    m->name = word_take(c, at, end);
    m->label = m->name ? next_take(c, at, end) : NULL;
    const char *group = m->label;
    while (group && m->group_count < CATALOG_GROUPS_MAX && **at == ' ')
        if ((group = next_take(c, at, end)))
            m->groups[m->group_count++] = group;
    if (!group || **at != '\n')
        return ERR_SYNTAX;
    ++*at;
    return 0;
}

int catalog_parse(const char *text, size_t length, struct catalog *ret)
{
    struct catalog c = {.arena = arena_init()};
    const char *at = text, *end = text + length;
    uint32_t lines = 0;
    for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    int err = lines > CATALOG_MEMBERS_MAX ? ERR_LIMIT : 0;
    c.members = arena_new(&c.arena, err ? 1 : lines + (size_t)1, sizeof *c.members);
    while (!err && at < end)
        err = c.count > lines ? ERR_SYNTAX : line_take(&c, &at, end, &c.members[c.count++]);
    if (!err && !members_sort(&c))
        err = ERR_SYNTAX;
    if (err)
        catalog_done(&c);
    else
        *ret = c;
    return err;
}
