/* Plays every sim/stories/X.story twice: both traces must be the same, and that of X.trace beside
 * it. STORY_UPDATE=1 writes the traces instead: read the difference before you keep it. */
#include "sim/story.h"

#include "test/check_main.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MOST = 1 << 20, STORIES_MOST = 100 };

static const char *folder(void)
{
    static char path[2048];
    const char *source = getenv("HOLDFAST_SOURCE");
    snprintf(path, sizeof path, "%s/sim/stories", source ? source : ".");
    return path;
}

/* "" where there is no such file; valid until the next but one call. */
static char *file_read(const char *name)
{
    static char buffers[2][FILE_MOST], path[4096];
    static unsigned next;
    char *buffer = buffers[next++ % 2];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *f = fopen(path, "rb");
    size_t length = f ? fread(buffer, 1, FILE_MOST - 1, f) : 0;
    buffer[length] = 0;
    if (f)
        fclose(f);
    return buffer;
}

static void file_write(const char *name, const char *data)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    fputs(data, f);
    fclose(f);
}

/* The first line in which they differ. */
static void difference_print(const char *name, const char *expected, const char *played)
{
    unsigned line = 1;
    const char *a = expected, *b = played;
    while (*a && *b) {
        size_t m = strcspn(a, "\n"), n = strcspn(b, "\n");
        if (m != n || memcmp(a, b, m) != 0)
            break;
        a += m + (a[m] != 0);
        b += n + (b[n] != 0);
        line++;
    }
    fprintf(stderr, "%s line %u\n  expected: %.*s\n  played:   %.*s\n", name, line,
            (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
}

static void story_check(const char *name)
{
    char trace_name[512];
    snprintf(trace_name, sizeof trace_name, "%.*s.trace", (int)(strlen(name) - 6), name);
    const char *story = file_read(name);
    struct text first = text_init(FILE_MOST), second = text_init(FILE_MOST);
    int err = story_play(story, &first);
    ck_assert_msg(err == 0, "%s: %s", name, text_string(&first));
    err = story_play(story, &second);
    ck_assert_int_eq(err, 0);
    ck_assert_str_eq(text_string(&first), text_string(&second));
    ck_assert_msg(!strstr(text_string(&first), "REFUSED"), "%s: a reader refuses a plan", name);
    if (getenv("STORY_UPDATE"))
        file_write(trace_name, text_string(&first));
    const char *expected = file_read(trace_name);
    if (strcmp(expected, text_string(&first)) != 0) {
        difference_print(trace_name, expected, text_string(&first));
        ck_abort_msg("%s does not play as %s says", name, trace_name);
    }
    text_done(&first);
    text_done(&second);
}

START_TEST(test_stories)
{
    DIR *dir = opendir(folder());
    unsigned count = 0;
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (length <= 6 || strcmp(e->d_name + length - 6, ".story") != 0)
            continue;
        story_check(e->d_name);
        count++;
    }
    closedir(dir);
    ck_assert_uint_ge(count, 8);
}
END_TEST

/* Mistakes in a story are told, not played over. */
START_TEST(test_broken_stories)
{
    static const char *const broken[] = {
        "", "10s end\n", "config\n---\n", "seed x\n", "nonsense\n",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct text out = text_init(FILE_MOST);
        ck_assert_int_ne(story_play(broken[i], &out), 0);
        ck_assert_ptr_nonnull(strstr(text_string(&out), "ERROR"));
        text_done(&out);
    }
}
END_TEST

CHECK_MAIN("story", test_stories, test_broken_stories)
