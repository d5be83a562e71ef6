#include "model/sample.h"

#include "base/attr.h"

struct reason_row {
    const char *name, *sentence;
    enum phase phase;
};

static const struct reason_row reasons[] = {
#define X(id, name, phase, sentence) [id] = {name, sentence, phase},
    REASON_LIST(X)
#undef X
};

static const char *const phases[] = {
    [PHASE_RESOLVE] = "resolve",       [PHASE_CONNECT] = "connect",   [PHASE_TLS] = "tls",
    [PHASE_PROCESSING] = "processing", [PHASE_TRANSFER] = "transfer",
};

/* A number from a file or another node may be none of ours: it is shown as such, never followed. */
static const struct reason_row *reason_row(enum reason reason)
{
    static const struct reason_row unknown = {"unknown", "a reason unknown to this program",
                                              PHASE_RESOLVE};
    return (unsigned)reason < REASONS ? &reasons[reason] : &unknown;
}

const char *reason_name(enum reason reason)
{
    return reason_row(reason)->name;
}

const char *reason_sentence(enum reason reason)
{
    return reason_row(reason)->sentence;
}

enum phase reason_phase(enum reason reason)
{
    return reason_row(reason)->phase;
}

const char *phase_name(enum phase phase)
{
    return (unsigned)phase < array_length(phases) ? phases[phase] : "unknown";
}
