#include "model/zone_sign_io.h"
#include "seam/thread.h"

void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    threads_aside(task, context, count);
}
