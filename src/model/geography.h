/* Where on the globe things are, and how near to one another: as much as tells near from far. Pure,
 * and the same on every machine: nothing of it is the C library's. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum { DEGREE = 1000 /* coordinates are thousandths of a degree */ };

struct coordinates {
    int32_t latitude, longitude; /* north, east */
};

/* A point on a sphere of radius 1. */
struct bearing {
    double x, y, z;
};
struct bearing bearing_of(const struct coordinates *at);
/* The cosine of the angle between two points: the larger, the nearer. */
const_function double bearing_nearness(struct bearing a, struct bearing b);
/* What that is at a distance of `km` along the surface. */
const_function double nearness_at(double km);

/* The middle of a country by its code (ISO 3166-1), to a degree or so; false: not known. */
bool country_place(const char code[static 3], struct coordinates *ret);
