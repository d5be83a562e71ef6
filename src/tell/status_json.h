/* The view as JSON, for tools: `holdfast status --json`. Keys are stable; new ones may come. Pure.
 */
#pragma once

#include "base/text.h"
#include "tell/view.h"

/* Appends one line: an object with node, roles, services, endpoints. Times are seconds; ages are
 * how long ago. */
void status_json_render(struct text *out, const struct view *v);
