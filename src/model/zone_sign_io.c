#include "model/zone_sign_io.h"
#include "seam/thread.h"

/* On a core that answers take for themselves, a zone is to be signed all the same. */
#define PATIENCE (10 * USEC_PER_SEC)

void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    threads_aside(task, context, count, PATIENCE);
}
