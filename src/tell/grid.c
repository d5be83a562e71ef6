#include "tell/grid.h"
#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

static const char *tone_start(enum tone tone)
{
    static const char *const codes[] = {"",           "\033[1m",  "\033[32m",
                                        "\033[1;31m", "\033[33m", "\033[2m"};
    return codes[tone];
}

void tone_append(struct text *out, const char *word, enum tone tone, bool colour)
{
    bool coloured = colour && tone != TONE_PLAIN && *word;
    text_append(out, coloured ? tone_start(tone) : "");
    text_append(out, word);
    text_append(out, coloured ? "\033[0m" : "");
}

struct grid grid_init(struct arena *arena, unsigned columns)
{
    invariant(columns > 0 && columns <= GRID_COLUMNS_MAX);
    return (struct grid){.arena = arena, .columns = columns};
}

void grid_done(struct grid *g)
{
    free(g->cells);
    *g = (struct grid){0};
}

struct grid_cell *grid_row(struct grid *g)
{
    if (g->rows == g->capacity) {
        g->capacity = g->capacity ? g->capacity * 2 : 32;
        g->cells = mem_resize(g->cells, g->capacity * g->columns, sizeof *g->cells);
    }
    struct grid_cell *row = g->cells + g->rows++ * g->columns;
    for (unsigned i = 0; i < g->columns; i++)
        row[i] = (struct grid_cell){"", TONE_PLAIN};
    return row;
}

static void row_render(struct text *out, const struct grid_cell *row, unsigned columns,
                       const size_t *widths, bool colour)
{
    while (columns && !*row[columns - 1].text)
        columns--;
    for (unsigned i = 0; i < columns; i++) {
        tone_append(out, row[i].text, row[i].tone, colour);
        if (i + 1 < columns)
            text_appendf(out, "%*s", (int)(widths[i] - strlen(row[i].text) + 2), "");
    }
    text_append(out, "\n");
}

void grid_render(struct text *out, const struct grid *g, bool colour)
{
    size_t widths[GRID_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < g->rows * g->columns; i++) {
        size_t n = strlen(g->cells[i].text);
        if (n > widths[i % g->columns])
            widths[i % g->columns] = n;
    }
    for (size_t i = 0; i < g->rows; i++)
        row_render(out, g->cells + i * g->columns, g->columns, widths, colour);
}
