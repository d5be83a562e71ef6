/* The view as a table for people: `holdfast status` and the page "/". Pure. */
#pragma once

#include "base/text.h"
#include "tell/view.h"

enum { TABLE_MAX = 64 << 20 }; /* bytes */

/* Appends the node, its roles, services with their answers, endpoints with verdicts; what is wrong
 * with the node comes first. */
void table_render(struct text *out, const struct view *v, bool colour);
