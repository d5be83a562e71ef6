/* The view as Prometheus text (exposition format 0.0.4). Pure. */
#pragma once

#include "base/text.h"
#include "tell/view.h"

enum { METRICS_MAX = 256 << 20 }; /* bytes */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Appends all families, each with HELP and TYPE once. doc/metrics.md lists them; a test holds both
 * together. */
void metrics_render(struct text *out, const struct view *v);
