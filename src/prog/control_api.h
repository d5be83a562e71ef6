/* The API of a node: HTTP on the sockets of api.listen, Route 53 ARC's two services behind it. */
#pragma once

#include "prog/control.h"

/* Serves from now on, where there is somewhere to serve. */
must_check int control_api_open(struct control *c);
