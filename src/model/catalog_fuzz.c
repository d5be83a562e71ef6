/* Any bytes as a catalog: as what is kept of its members, and as records of a zone. What is read
 * can be kept, and is the same when it is read again. */
#include "base/invariant.h"
#include "model/catalog.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct catalog *a, const struct catalog *b)
{
    invariant(a->count == b->count);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct catalog_member *x = &a->members[i], *y = &b->members[i];
        invariant(!strcmp(x->name, y->name) && !strcmp(x->label, y->label));
        invariant(x->group_count == y->group_count && x->group_count <= CATALOG_GROUPS_MAX);
        for (unsigned k = 0; k < x->group_count; k++)
            invariant(!strcmp(x->groups[k], y->groups[k]));
        invariant(catalog_find(a, x->name) == x);
    }
}

static void keep(struct catalog *c)
{
    struct text out = text_init(CATALOG_FILE_MAX);
    struct catalog again;
    catalog_format(c->members, c->count, &out);
    int err = catalog_parse(text_string(&out), out.length, &again);
    invariant(err == 0);
    same(c, &again);
    catalog_done(&again);
    catalog_done(c);
    text_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t origin[] = "\4catz\7example";
    struct held_content *content;
    struct catalog c;
    const char *reason = NULL;
    char *text = mem_new(size + 1, 1);
    if (size)
        memcpy(text, data, size);
    if (!catalog_parse(text, size, &c))
        keep(&c);
    free(text);
    if (held_content_new(origin, held_cursor_init(data, size), &content))
        return 0;
    int err = catalog_read(content, &c, &reason);
    invariant((err != 0) == (reason != NULL));
    if (!err)
        keep(&c);
    held_content_free(content);
    return 0;
}
