#include "base/err.h"
#include "base/memory.h"
#include "model/incident.h"
#include "model/run_io.h"
#include <stdlib.h>
#include <string.h>

int incidents_write(const char *data, const struct intent *intent)
{
    struct run_file f;
    char *text = incidents_encode(intent);
    size_t size = strlen(text);
    int err = run_file_make(data, "incidents", size, &f);
    if (!err) {
        memcpy(f.map, text, size);
        err = run_file_publish(data, "incidents", &f);
        if (!err)
            run_file_close(&f);
    }
    free(text);
    return err;
}

static bool one_read(const json_t *from, struct incident_named *ret)
{
    const char *name = json_string_value(json_object_get(from, "name")), *why;
    const json_t *value = json_object_get(from, "value");
    struct incident *i = name && json_is_object(value) ? incident_decode(value, &why) : NULL;
    if (i)
        *ret = (struct incident_named){mem_string(name), i};
    return i != NULL;
}

static int list_read(const json_t *root, struct incident_list *ret)
{
    const json_t *list = json_object_get(root, "incidents");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > INCIDENTS_MAX)
        return ERR_SYNTAX;
    ret->list = mem_new(count + 1, sizeof *ret->list);
    for (size_t i = 0; i < count; i++) {
        if (!one_read(json_array_get(list, i), &ret->list[i]))
            return ERR_INVALID;
        ret->count++;
    }
    return 0;
}

int incidents_read(const char *data, struct incident_list *ret)
{
    struct run_file f;
    struct incident_list list = {0};
    int err = run_file_open(data, "incidents", false, &f);
    if (err)
        return err;
    json_t *root = json_loadb(f.map, f.size, JSON_REJECT_DUPLICATES, NULL);
    run_file_close(&f);
    err = list_read(root, &list);
    json_decref(root);
    if (err)
        incidents_done(&list);
    else
        *ret = list;
    return err;
}

void incidents_done(struct incident_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->list[i].name);
        incident_free(list->list[i].incident);
    }
    free(list->list);
    *list = (struct incident_list){0};
}
