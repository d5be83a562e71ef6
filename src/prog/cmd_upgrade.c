/* `holdfast upgrade`: the running node replaces its program without losing a query. */
#include "base/err.h"
#include "command/command_io.h"
#include "model/stats.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "seam/clock.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { UPGRADE_WAIT_S = 30, LOOK_MS = 50, REPLACED_ROLES = 3 };

static const char upgrade_usage[] = "usage: holdfast upgrade [--config FILE | --data DIR]\n\n"
                                    "Install the new program at the place of the old one, then say "
                                    "this: the new program checks the\n"
                                    "configuration, takes over the listening sockets, and replaces "
                                    "one role after the other. The old\n"
                                    "name server answers until the new one says that it does. "
                                    "Where the new program does not accept the\n"
                                    "configuration nothing changes.\n";

static const char *const replaced[REPLACED_ROLES] = {"control", "dns", "tell"};

/* Also of a program with another list of counters. */
static pid_t pid_of(const char *data, const char *role)
{
    uint32_t pid;
    return stats_pid(data, role, &pid) ? 0 : (pid_t)pid;
}

static bool all_replaced(const char *data, const pid_t before[static REPLACED_ROLES])
{
    for (unsigned i = 0; i < REPLACED_ROLES; i++) {
        pid_t now = pid_of(data, replaced[i]);
        /* The old one has to be gone as well: until then both serve. */
        if (now == before[i] || now <= 0 || !kill(before[i], 0) || errno == EPERM)
            return false;
    }
    return true;
}

/* Does the new control take orders? What it says to this one does not matter. */
static bool control_answers(const char *data)
{
    char *reply;
    int err = command_call(data, "{}\n", NULL, 0, USEC_PER_SEC, &reply);
    if (!err)
        free(reply);
    return err != -ENOENT && err != -ECONNREFUSED;
}

int cmd_upgrade(int argc, char **argv)
{
    const char *config = NULL, *folder = NULL;
    const struct option_spec specs[] = {{.name = "config", .letter = 'c', .value = &config},
                                        {.name = "data", .letter = 'd', .value = &folder}};
    struct words words;
    char data[PATH_MAX];
    int status = options_parse(argc, argv, upgrade_usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(upgrade_usage, "upgrade takes no words");
    status = options_data(folder, config, data);
    if (status)
        return status;
    pid_t before[REPLACED_ROLES], supervisor = pid_of(data, "supervisor");
    for (unsigned i = 0; i < REPLACED_ROLES; i++)
        before[i] = pid_of(data, replaced[i]);
    if (supervisor <= 0 || kill(supervisor, SIGUSR2)) {
        fprintf(stderr, "holdfast: no node runs on %s, or it is not yours to upgrade: %s\n", data,
                supervisor > 0 ? strerror(errno) : "no supervisor was found");
        return 1;
    }
    for (usec_t until = clock_now() + UPGRADE_WAIT_S * USEC_PER_SEC; clock_now() < until;) {
        if (all_replaced(data, before) && control_answers(data)) {
            puts("upgraded: every role runs the new program");
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    fputs(
        "holdfast: not every role was replaced in time; the node's log says why (upgrade.refused, "
        "upgrade.exec, role.start)\n",
        stderr);
    return 1;
}
