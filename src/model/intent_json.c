/* The orders as a JSON text:
 *
 *   {"format": 1, "version": 7, "orders": [
 *     {"service": "api.example.com", "endpoint": "use1", "state": "drained",
 *      "wall": 1767225600, "author": "uid 1000 (ana)", "reason": "kernel update"}]} */
#include "base/err.h"
#include "base/invariant.h"
#include "model/intent.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* jansson stores UTF-8 only; an author or a reason that is not is kept readable. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *plain = mem_string(text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *order_json(const struct intent_order *o)
{
    json_t *out = json_object();
    int err = json_object_set_new(out, "service", text_json(o->service));
    err |= json_object_set_new(out, "endpoint", text_json(o->endpoint));
    err |= json_object_set_new(out, "state", json_string(admin_state_name(o->state)));
    err |= json_object_set_new(out, "wall", json_integer(o->wall));
    err |= json_object_set_new(out, "author", text_json(o->author));
    if (o->reason)
        err |= json_object_set_new(out, "reason", text_json(o->reason));
    invariant(!err);
    return out;
}

char *intent_encode(const struct intent *intent)
{
    json_t *root = json_object(), *orders = json_array();
    int err = json_object_set_new(root, "format", json_integer(INTENT_FILE_VERSION));
    err |= json_object_set_new(root, "version", json_integer((json_int_t)intent->version));
    for (uint32_t i = 0; i < intent->order_count; i++)
        err |= json_array_append_new(orders, order_json(&intent->orders[i]));
    err |= json_object_set_new(root, "orders", orders);
    char *text = err ? NULL : json_dumps(root, JSON_INDENT(2));
    invariant(text != NULL); /* nothing but a lack of memory */
    json_decref(root);
    return text;
}

static const char *field(const json_t *order, const char *key, size_t max)
{
    const char *text = json_string_value(json_object_get(order, key));
    return text && strlen(text) <= max ? text : NULL;
}

/* A sentence, or NULL and a copy in *ret. */
static const char *order_decode(const json_t *value, struct intent_order *ret)
{
    const char *service = field(value, "service", 1023), *state = field(value, "state", 16);
    const char *endpoint = field(value, "endpoint", CONFIG_NAME_MAX);
    const char *author = field(value, "author", INTENT_TEXT_MAX);
    const char *reason = field(value, "reason", INTENT_TEXT_MAX);
    const json_t *wall = json_object_get(value, "wall");
    enum admin_state admin;
    if (!service || !*service || !endpoint || !*endpoint || !state || !author)
        return "an order lacks its service, endpoint, state or author";
    if (admin_state_parse(state, &admin) < 0 || admin == ADMIN_AUTO)
        return "an order has a state other than drained, disabled and forced-up";
    if (!json_is_integer(wall) || json_integer_value(wall) < 0)
        return "an order does not say when it was given";
    if (json_object_get(value, "reason") && !reason)
        return "an order's reason is not a text of at most 500 bytes";
    *ret = (struct intent_order){.service = mem_string(service),
                                 .endpoint = mem_string(endpoint),
                                 .state = admin,
                                 .wall = json_integer_value(wall),
                                 .author = mem_string(author),
                                 .reason = reason ? mem_string(reason) : NULL};
    return NULL;
}

static int order_sort(const void *a, const void *b)
{
    const struct intent_order *x = a, *y = b;
    int by_service = strcmp(x->service, y->service);
    return by_service ? by_service : strcmp(x->endpoint, y->endpoint);
}

static const char *orders_decode(const json_t *list, struct intent *out)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > INTENT_ORDERS_MAX)
        return "it has no list of at most 10000 orders";
    out->orders = mem_new(count + 1, sizeof *out->orders);
    for (size_t i = 0; i < count; i++) {
        const char *why = order_decode(json_array_get(list, i), &out->orders[out->order_count]);
        if (why)
            return why;
        out->order_count++;
    }
    qsort(out->orders, out->order_count, sizeof *out->orders, order_sort);
    for (uint32_t i = 1; i < out->order_count; i++)
        if (order_sort(&out->orders[i - 1], &out->orders[i]) == 0)
            return "two orders are about one endpoint";
    return NULL;
}

int intent_decode(const char *data, size_t length, struct intent *ret, const char **ret_why)
{
    struct intent out = {0};
    json_t *root = json_loadb(data, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *format = json_object_get(root, "format");
    const json_t *version = json_object_get(root, "version");
    const char *why = NULL;
    int err = ERR_INVALID;
    if (!json_is_object(root)) {
        why = "it is not a JSON object";
        err = ERR_SYNTAX;
    } else if (!json_is_integer(format)) {
        why = "it does not say its format";
    } else if (json_integer_value(format) != INTENT_FILE_VERSION) {
        why = "it is of a format that this program does not read";
        err = ERR_VERSION;
    } else if (!json_is_integer(version) || json_integer_value(version) < 0) {
        why = "it does not say its version";
    } else {
        why = orders_decode(json_object_get(root, "orders"), &out);
        out.version = (uint64_t)json_integer_value(version);
    }
    json_decref(root);
    if (!why) {
        *ret = out;
        return 0;
    }
    intent_done(&out);
    *ret_why = why;
    return err;
}
