#include "tell/health.h"
#include <string.h>

enum { PROBLEMS_TEXT_MAX = 1 << 16 };

static void lines_append(struct text *out, const char *lines)
{
    for (const char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1) {
        text_append(out, line == lines ? "" : ",");
        text_append_json(out, line, (size_t)(end - line));
    }
}

unsigned health_render(struct text *out, const struct view *v)
{
    struct text problems = text_init(PROBLEMS_TEXT_MAX);
    unsigned count = view_problems(v, &problems);
    text_appendf(out, "{\"status\":\"%s\"", count ? "unwell" : "ok");
    if (v->has_plan) {
        const char *node = plan_text(&v->plan, v->plan.node);
        text_append(out, ",\"node\":");
        text_append_json(out, node, strlen(node));
        text_appendf(out, ",\"generation\":%llu,\"plan_age_seconds\":%lld",
                     (unsigned long long)v->plan.generation,
                     (long long)(view_plan_age(v) / USEC_PER_SEC));
    }
    text_append(out, ",\"problems\":[");
    lines_append(out, text_string(&problems));
    text_append(out, "]}\n");
    text_done(&problems);
    return count ? 503 : 200;
}
