/* Requests of a user who may do everything: the first line is "METHOD PATH" or "TARGET", the rest
 * the body. {N} in it stands for the ARN of object N. Whatever is asked, there is one reply, and
 * the intent stays one that can be written and read. */
#include "command/arc_rig.h"

#include "command/arc_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void arns_put(const struct intent *intent, const char *from, size_t length, struct text *out)
{
    for (size_t i = 0; i < length; i++) {
        uint32_t n =
            (uint32_t)(i + 2 < length && from[i] == '{' && from[i + 2] == '}' ? from[i + 1] - '0'
                                                                              : 10);
        char arn[ARC_ARN_MAX];
        if (n > 9) {
            text_append_bytes(out, from + i, 1);
            continue;
        }
        i += 2;
        const struct intent_object *o = n < intent->object_count ? intent->objects[n] : NULL;
        bool has =
            o && (o->kind == INTENT_PANEL || o->kind == INTENT_CONTROL || o->kind == INTENT_RULE);
        text_append(out, arc_arn(intent, has ? o : NULL, arn));
    }
}

/* In a path what an ARN has of slashes is escaped. */
static void path_put(const struct intent *intent, const char *from, size_t length, struct text *out)
{
    struct text arns = text_init(4096);
    for (size_t i = 0; i < length; i++) {
        if (from[i] == '{' && i + 2 < length) {
            text_reset(&arns);
            arns_put(intent, from + i, 3, &arns);
            for (const char *at = text_string(&arns); *at; at++)
                text_append(out, *at == '/' ? "%2F" : (char[]){*at, 0});
            i += 2;
        } else {
            text_append_bytes(out, from + i, 1);
        }
    }
    text_done(&arns);
}

static void request_run(struct arc_rig *rig, const char *line, size_t length, struct bytes body)
{
    struct text path = text_init(4096), name = text_init(256);
    const char *blank = memchr(line, ' ', length);
    if (blank) {
        text_append_bytes(&name, line, (size_t)(blank - line));
        path_put(&rig->intent, blank + 1, length - (size_t)(blank + 1 - line), &path);
    } else {
        text_append(&name, "ToggleCustomerAPI.");
        text_append_bytes(&name, line, length);
    }
    bool asked = rig_run(rig, RIG_KEY, blank ? text_string(&name) : "POST",
                         blank ? text_string(&path) : "/", blank ? NULL : text_string(&name), body);
    if (asked) {
        rig_finish(rig);
        json_t *reply = json_loads(rig->result.body, 0, NULL);
        invariant(json_is_object(reply) && rig->result.status >= 200);
        json_decref(reply);
    }
    text_done(&path);
    text_done(&name);
}

/* Requests follow one another, each ended by an empty line. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arc_rig rig;
    struct intent again;
    const char *why, *at = (const char *)data, *end = at + size;
    rig_open(&rig);
    for (int i = 0; i < 8 && at < end; i++) {
        const char *stop = memmem(at, (size_t)(end - at), "\n\n", 2);
        const char *line = memchr(at, '\n', (size_t)(end - at));
        struct text body = text_init(ARC_BODY_MAX);
        if (!stop)
            stop = end;
        if (!line || line > stop)
            line = stop;
        if (line < stop)
            arns_put(&rig.intent, line + 1, (size_t)(stop - line - 1), &body);
        rig.now += USEC_PER_SEC;
        request_run(&rig, at, (size_t)(line - at),
                    (struct bytes){(const uint8_t *)body.data, body.length});
        text_done(&body);
        at = stop + (stop < end ? 2 : 0);
    }
    char *file = intent_encode(&rig.intent);
    int err = intent_decode(file, strlen(file), &again, &why);
    invariant(err == 0);
    intent_done(&again);
    free(file);
    rig_close(&rig);
    return 0;
}
