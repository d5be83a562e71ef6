#include "tell/pages.h"
#include "base/invariant.h"
#include "tell/health.h"
#include "tell/metrics.h"
#include "tell/table.h"
#include <string.h>

#define HEADERS_ALWAYS "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"

static unsigned render_status(struct text *out, const struct view *v)
{
    table_render(out, v, false);
    return 200;
}

static unsigned render_metrics(struct text *out, const struct view *v)
{
    metrics_render(out, v);
    return 200;
}

static const struct {
    const char *path, *content_type, *headers;
    unsigned (*render)(struct text *out, const struct view *v);
} pages[PAGES] = {
    /* A browser asks again by itself: no script is needed. */
    [PAGE_STATUS] = {"/", "text/plain; charset=utf-8", HEADERS_ALWAYS "Refresh: 2\r\n",
                     render_status},
    [PAGE_METRICS] = {"/metrics", METRICS_CONTENT_TYPE, HEADERS_ALWAYS, render_metrics},
    [PAGE_HEALTH] = {"/healthz", "application/json", HEADERS_ALWAYS, health_render},
};

int page_find(struct bytes path)
{
    for (int i = 0; i < PAGES; i++)
        if (path.length == strlen(pages[i].path) &&
            memcmp(path.data, pages[i].path, path.length) == 0)
            return i;
    return PAGE_NONE;
}

const char *page_content_type(enum page page)
{
    invariant((unsigned)page < PAGES);
    return pages[page].content_type;
}

const char *page_headers(enum page page)
{
    invariant((unsigned)page < PAGES);
    return pages[page].headers;
}

unsigned page_render(struct text *out, enum page page, const struct view *v)
{
    invariant((unsigned)page < PAGES);
    unsigned status = pages[page].render(out, v);
    return out->failed ? 500 : status;
}
