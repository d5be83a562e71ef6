#include "model/key_board.h"
#include "base/invariant.h"
#include "model/dnssec_state.h"
#include <string.h>

static const char magic[8] = "HFKEYS\n";

void key_board_init(struct key_board *b)
{
    memset(b, 0, sizeof *b);
    memcpy(b->magic, magic, sizeof magic);
    b->version = KEY_BOARD_VERSION;
}

static bool comes_before(const struct key_board_zone *a, const struct key_board_zone *b)
{
    if (!a->needs != !b->needs)
        return a->needs != 0;
    return a->alarm < b->alarm;
}

void key_board_add(struct key_board *b, const struct key_board_zone *z)
{
    uint32_t at = b->count;
    b->total++;
    b->needy += z->needs != 0;
    while (at > 0 && comes_before(z, &b->zones[at - 1]))
        at--;
    if (at == KEY_BOARD_MAX)
        return;
    uint32_t kept = b->count < KEY_BOARD_MAX ? b->count++ : KEY_BOARD_MAX - 1;
    memmove(&b->zones[at + 1], &b->zones[at], (kept - at) * sizeof *b->zones);
    b->zones[at] = *z;
}

static void alarm_tell(const char *what, const char *name, int64_t end, struct text *out)
{
    char when[KEY_TIME_MAX];
    text_appendf(out, "the signatures of %s%s end at %s and were not renewed in time\n", what, name,
                 key_time_format(end, when));
}

unsigned key_board_alarms(const struct key_board *b, int64_t wall, struct text *out)
{
    unsigned count = 0;
    invariant(b->count <= KEY_BOARD_MAX);
    if (b->steered_alarm && wall >= b->steered_alarm) {
        alarm_tell("steered names", "", b->steered_end, out);
        count++;
    }
    for (uint32_t i = 0; i < b->count; i++)
        if (b->zones[i].alarm && wall >= b->zones[i].alarm) {
            alarm_tell("zone ", b->zones[i].name, b->zones[i].signatures_end, out);
            count++;
        }
    return count;
}
