#include "base/err.h"
#include "base/memory.h"
#include "model/key_board.h"
#include "model/run_io.h"
#include <stdlib.h>
#include <string.h>

int key_board_write(const char *data, const struct key_board *b)
{
    struct run_file f;
    int err = run_file_make(data, "keys", sizeof *b, &f);
    if (err)
        return err;
    memcpy(f.map, b, sizeof *b);
    err = run_file_publish(data, "keys", &f);
    if (!err)
        run_file_close(&f);
    return err;
}

static int board_check(const struct key_board *b)
{
    struct key_board own;
    key_board_init(&own);
    if (memcmp(b->magic, own.magic, sizeof own.magic))
        return ERR_MAGIC;
    if (b->version != KEY_BOARD_VERSION)
        return ERR_VERSION;
    if (b->count > KEY_BOARD_MAX)
        return ERR_BOUNDS;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct key_board_zone *z = &b->zones[i];
        if (!memchr(z->name, 0, sizeof z->name) || z->signatures_end < 0 || z->next_event < 0)
            return ERR_BOUNDS;
    }
    return b->steered_end < 0 ? ERR_BOUNDS : 0;
}

int key_board_read(const char *data, struct key_board **ret)
{
    struct run_file f;
    int err = run_file_open(data, "keys", false, &f);
    if (err)
        return err;
    struct key_board *b = mem_new(1, sizeof *b);
    err = f.size < sizeof *b ? ERR_TRUNCATED : 0;
    if (!err) {
        memcpy(b, f.map, sizeof *b);
        err = board_check(b);
    }
    run_file_close(&f);
    if (err)
        free(b);
    else
        *ret = b;
    return err;
}
