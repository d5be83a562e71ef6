#include "model/plan.h"

#include "base/invariant.h"

const char *verdict_state_name(enum verdict_state s)
{
    static const char *const names[VERDICT_STATES] = {
        [VERDICT_UNREADY] = "unready",
        [VERDICT_UP] = "up",
        [VERDICT_DOWN] = "down",
        [VERDICT_UNCHECKED] = "unchecked",
    };
    invariant((unsigned)s < VERDICT_STATES);
    return names[s];
}

const char *face_mode_name(enum face_mode m)
{
    static const char *const names[FACE_MODES] = {
        [FACE_ABSENT] = "absent",       [FACE_NORMAL] = "normal", [FACE_PREFERRED] = "preferred",
        [FACE_LAST_GOOD] = "last-good", [FACE_NODATA] = "nodata", [FACE_FALLBACK] = "fallback",
    };
    invariant((unsigned)m < FACE_MODES);
    return names[m];
}
