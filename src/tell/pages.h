/* What can be asked for over HTTP: one entry a path. Pure. */
#pragma once

#include "base/bytes.h"
#include "base/text.h"
#include "tell/view.h"

enum page { PAGE_STATUS, PAGE_METRICS, PAGE_HEALTH };
enum { PAGES = 3, PAGE_NONE = -1, PAGE_MAX = 256 << 20 };

/* The page of a path ("/", "/metrics", "/healthz"), or PAGE_NONE. */
pure_function int page_find(struct bytes path);
const_function const char *page_content_type(enum page page);
/* Further header lines for the page, each ended by CRLF. */
const_function const char *page_headers(enum page page);
/* Appends the body; returns the HTTP status. */
unsigned page_render(struct text *out, enum page page, const struct view *v);
