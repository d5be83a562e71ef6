#include "prog/change.h"
#include "prog/order.h"
#include "wire/http1.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

json_t *names_split(const char *names)
{
    json_t *list = json_array();
    for (const char *at = names ? names : ""; *at;) {
        size_t length = strcspn(at, ",");
        if (length)
            json_array_append_new(list, json_stringn(at, length));
        at += length + (at[length] == ',');
    }
    return list;
}

json_t *change_request(json_t *edits)
{
    return json_pack("{s:s,s:o}", "op", "change", "edits", edits);
}

void change_add(json_t *edits, const char *kind, const char *name, json_t *value)
{
    json_array_append_new(edits, json_pack("{s:s,s:s,s:o}", "kind", kind, "name", name, "value",
                                           value ? value : json_null()));
}

int change_send(const struct change_options *o, json_t *request)
{
    char data[PATH_MAX];
    int status = options_data(o->data, o->config, data);
    if (status) {
        json_decref(request);
        return status;
    }
    if (o->reason)
        json_object_set_new(request, "reason", json_string(o->reason));
    if (o->override)
        json_object_set_new(request, "overrides", names_split(o->override));
    if (o->force)
        json_object_set_new(request, "force", json_true());
    return order_send(data, request, ORDER_WAIT_S);
}

int change_remove(const struct change_options *o, const char *kind, const char *name)
{
    json_t *edits = json_array();
    change_add(edits, kind, name, NULL);
    return change_send(o, change_request(edits));
}

json_t *change_objects(const struct change_options *o, const char *kind)
{
    char data[PATH_MAX];
    json_t *list = NULL, *object;
    size_t i;
    json_t *intent = options_data(o->data, o->config, data) ? NULL : order_intent(data);
    if (!intent)
        return NULL;
    list = json_array();
    json_array_foreach(json_object_get(intent, "objects"), i, object)
    {
        const char *is = json_string_value(json_object_get(object, "kind"));
        if (is && !strcmp(is, kind))
            json_array_append(list, object);
    }
    json_decref(intent);
    return list;
}

const json_t *change_find(const json_t *objects, const char *name)
{
    json_t *object;
    size_t i;
    json_array_foreach(objects, i, object)
    {
        const char *is = json_string_value(json_object_get(object, "name"));
        if (is && !strcmp(is, name))
            return object;
    }
    return NULL;
}

void change_words_print(const json_t *object)
{
    char date[HTTP1_DATE_MAX];
    const char *author = json_string_value(json_object_get(object, "author"));
    const char *reason = json_string_value(json_object_get(object, "reason"));
    int64_t wall_ms = json_integer_value(json_object_get(object, "wall_ms"));
    printf("by %s on %s", author ? author : "somebody", http1_date_format(wall_ms / 1000, date));
    if (reason)
        printf(": %s", reason);
    putchar('\n');
}
