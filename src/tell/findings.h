/* What several nodes found together, for people and for programs. */
#pragma once

#include "base/text.h"
#include "tell/view.h"
#include <jansson.h>

enum { FINDINGS_SHOWN = 50 };

/* A line for each vantage that does not vote, each shared cause, and the first FINDINGS_SHOWN
 * targets of which there is something to say; "" where there is none. */
void findings_lines(struct text *out, const struct view *v);
/* The sentence about a target; "" where there is none. */
void finding_line(struct text *out, const struct view *v, uint32_t target);

/* Who looks, and whether they vote. */
json_t *vantages_json(const struct view *v);
json_t *causes_json(const struct view *v);
/* What is known of a target by votes; null where there is nothing. */
json_t *view_json(const struct view *v, uint32_t target);
