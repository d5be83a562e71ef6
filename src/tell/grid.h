/* Columns of text that line up, with colours for terminals. Pure. */
#pragma once

#include "base/memory.h"
#include "base/text.h"

enum { GRID_COLUMNS_MAX = 12 };

enum tone { TONE_PLAIN, TONE_HEAD, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_DIM };

struct grid_cell {
    const char *text;
    enum tone tone;
};

struct grid {
    struct arena *arena; /* holds the cells' text and lives as long as the grid */
    unsigned columns;
    struct grid_cell *cells; /* rows x columns */
    size_t rows, capacity;
};

struct grid grid_init(struct arena *arena, unsigned columns);
void grid_done(struct grid *g);
/* A new row of empty cells; the pointer holds until the next row. */
struct grid_cell *grid_row(struct grid *g);
/* All rows, each column as wide as its widest cell, two blanks between, none at the end of a line.
 */
void grid_render(struct text *out, const struct grid *g, bool colour);

/* One word in its tone. */
void tone_append(struct text *out, const char *word, enum tone tone, bool colour);
