/* Text to a name and back; bytes to a name. Whatever parses must be valid and read back the same.
 */
#include "base/invariant.h"
#include "wire/dname.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t name[DNAME_MAX], again[DNAME_MAX];
    char text[DNAME_TEXT_MAX];

    int length = dname_check(data, size);
    if (length > 0) {
        dname_format(data, text);
        invariant(dname_parse(text, strlen(text), NULL, again) == length);
        invariant(memcmp(again, data, (size_t)length) == 0);
    }
    length = dname_parse((const char *)data, size, NULL, name);
    if (length > 0) {
        invariant(dname_check(name, (size_t)length) == length);
        dname_format(name, text);
        invariant(dname_parse(text, strlen(text), NULL, again) == length);
        invariant(dname_equal(name, (size_t)length, again, (size_t)length));
        invariant(dname_compare(name, again) == 0);
    }
    return 0;
}
