/* `holdfast diff`: what operators changed between two moments, all changes taken together. */
#include "base/attr.h"
#include "base/memory.h"
#include "base/text.h"
#include "prog/change.h"
#include "prog/commands.h"
#include "prog/order.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFF_SAME = 0, DIFF_OTHER = 1, DIFF_UNKNOWN = 2 };

static const char usage[] =
    "usage: holdfast diff FROM [TO] [--config FILE | --data DIR]\n\n"
    "What is other after change TO (without it: now) than it was after change FROM, all\n"
    "changes in between (holdfast log) taken together: what each object was (-) and is (+),\n"
    "and by which changes. 0 is before the first one.\n"
    "Exit status 0: nothing; 1: something; 2: it could not be told.\n";

/* One object that some change touched; borrows from the history. */
struct touched {
    const char *kind, *name;
    const json_t *before, *after; /* NULL: there was, or is, none */
    json_int_t first, last;       /* changes */
    unsigned count;               /* of them */
};

struct difference {
    struct touched *list;
    size_t count;
};

static const json_t *value_of(const json_t *edit, const char *key)
{
    const json_t *value = json_object_get(edit, key);
    return json_is_null(value) ? NULL : value;
}

static struct touched *touched_find(struct difference *d, const char *kind, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (!strcmp(d->list[i].kind, kind) && !strcmp(d->list[i].name, name))
            return &d->list[i];
    return NULL;
}

static void change_take(struct difference *d, const json_t *change)
{
    json_int_t version = json_integer_value(json_object_get(change, "version"));
    json_t *edit;
    size_t i;
    json_array_foreach(json_object_get(change, "edits"), i, edit)
    {
        const char *kind = json_string_value(json_object_get(edit, "kind"));
        const char *name = json_string_value(json_object_get(edit, "name"));
        struct touched *t = touched_find(d, kind, name);
        if (!t) {
            t = &d->list[d->count++];
            *t = (struct touched){
                .kind = kind, .name = name, .before = value_of(edit, "before"), .first = version};
        }
        t->after = value_of(edit, "after");
        t->last = version;
        t->count++;
    }
}

static bool values_equal(const json_t *a, const json_t *b)
{
    return a && b ? json_equal(a, b) : a == b;
}

static void value_print(char sign, const struct touched *t, const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    if (text)
        printf("%c %s %s %s\n", sign, t->kind, t->name, text);
    free(text);
}

static int touched_print(const struct difference *d)
{
    int status = DIFF_SAME;
    for (size_t i = 0; i < d->count; i++) {
        const struct touched *t = &d->list[i];
        if (values_equal(t->before, t->after))
            continue;
        status = DIFF_OTHER;
        value_print('-', t, t->before);
        value_print('+', t, t->after);
        if (t->count == 1)
            printf("  change %lld\n", (long long)t->first);
        else
            printf("  %u changes, from %lld to %lld\n", t->count, (long long)t->first,
                   (long long)t->last);
    }
    return status;
}

/* Are all changes behind `from` remembered? */
static bool history_reaches(const json_t *intent, int64_t from, int64_t to)
{
    const json_t *oldest = json_array_get(json_object_get(intent, "history"), 0);
    json_int_t newest = json_integer_value(json_object_get(intent, "version"));
    json_int_t known = json_integer_value(json_object_get(oldest, "version"));
    if (from > newest || (to != INT64_MAX && to > newest))
        fprintf(stderr, "holdfast: the newest change is %lld\n", (long long)newest);
    else if (oldest && from + 1 < known)
        fprintf(stderr, "holdfast: changes before %lld are not remembered any more\n",
                (long long)known);
    else
        return true;
    return false;
}

static int diff_print(const char *data, int64_t from, int64_t to)
{
    json_t *intent = order_intent(data), *change;
    size_t i, edits = 0;
    if (!intent)
        return DIFF_UNKNOWN;
    const json_t *history = json_object_get(intent, "history");
    int status = DIFF_UNKNOWN;
    if (history_reaches(intent, from, to)) {
        json_array_foreach(history, i, change) edits +=
            json_array_size(json_object_get(change, "edits"));
        struct difference d = {.list = mem_new(edits + 1, sizeof *d.list)};
        json_array_foreach(history, i, change)
        {
            json_int_t version = json_integer_value(json_object_get(change, "version"));
            if (version > from && version <= to)
                change_take(&d, change);
        }
        status = touched_print(&d);
        free(d.list);
    }
    json_decref(intent);
    return status;
}

int cmd_diff(int argc, char **argv)
{
    const char *config = NULL, *folder = NULL;
    const struct option_spec specs[] = {{.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int64_t from, to = INT64_MAX;
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (!words.count || words.count > 2 || integer_parse(words.list[0], 0, INT64_MAX, &from) ||
        (words.count == 2 && integer_parse(words.list[1], 0, INT64_MAX, &to)))
        return options_wrong(usage, "say since which change: `holdfast log` numbers them");
    return options_data(folder, config, data) ? DIFF_UNKNOWN : diff_print(data, from, to);
}
