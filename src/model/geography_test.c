#include "model/geography.h"

#include "test/check_main.h"
#include <string.h>

static struct bearing at(double latitude, double longitude)
{
    struct coordinates c = {(int32_t)(latitude * DEGREE), (int32_t)(longitude * DEGREE)};
    return bearing_of(&c);
}

/* Distances that can be looked up, to 1 %. */
START_TEST(test_distances)
{
    static const struct {
        double from[2], to[2], km;
    } rows[] = {
        {{48.857, 2.351}, {51.507, -0.128}, 344},      /* Paris, London */
        {{40.713, -74.006}, {34.052, -118.244}, 3936}, /* New York, Los Angeles */
        {{35.690, 139.692},
         {37.775, -122.419},
         8270}, /* Tokyo, San Francisco: over the date line */
        {{-33.868, 151.209}, {-36.848, 174.763}, 2156}, /* Sydney, Auckland */
        {{90, 0}, {-90, 0}, 20015},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        double nearness = bearing_nearness(at(rows[i].from[0], rows[i].from[1]),
                                           at(rows[i].to[0], rows[i].to[1]));
        ck_assert_msg(nearness < nearness_at(rows[i].km * 0.99), "row %zu", i);
        ck_assert_msg(nearness > nearness_at(rows[i].km * 1.01) || rows[i].km > 20000, "row %zu",
                      i);
    }
    ck_assert_double_gt(bearing_nearness(at(10, 10), at(10, 10)), 1 - 1e-9);
}
END_TEST

/* Every code is found, which needs them sorted, and lies on the globe. */
START_TEST(test_countries)
{
    unsigned found = 0;
    struct coordinates c;
    for (char a = 'A'; a <= 'Z'; a++)
        for (char b = 'A'; b <= 'Z'; b++) {
            const char code[3] = {a, b, 0};
            if (!country_place(code, &c))
                continue;
            found++;
            ck_assert(c.latitude >= -90 * DEGREE && c.latitude <= 90 * DEGREE &&
                      c.longitude >= -180 * DEGREE && c.longitude <= 180 * DEGREE);
        }
    ck_assert_uint_eq(found, 250); /* the 249 of ISO 3166-1, and Kosovo */
    ck_assert(!country_place("ZZ", &c));
    ck_assert(country_place("JP", &c) && c.latitude == 36 * DEGREE && c.longitude == 138 * DEGREE);
    ck_assert(country_place("AD", &c) && country_place("ZW", &c));
}
END_TEST

CHECK_MAIN("geography", test_distances, test_countries)
