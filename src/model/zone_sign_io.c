#include "model/zone_sign_io.h"
#include "seam/thread.h"

void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count)
{
    if (count == 1) /* most zones: no thread for that */
        task(context, 0);
    else
        threads_aside(task, context, count);
}
