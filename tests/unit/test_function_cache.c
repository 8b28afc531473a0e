#include "controlplane/api/lambda/function_cache.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* As unpacking makes it: every text is of its own. */
static Lapwing__Function *function_of(const char *account, const char *region, const char *name)
{
    Lapwing__Function *function = malloc(sizeof *function);

    lapwing__function__init(function);
    function->account = strdup(account);
    function->region = strdup(region);
    function->name = strdup(name);
    return function;
}

TEST(a_row_is_good_until_the_state_changes)
{
    struct function_cache *cache = function_cache_new();
    Lapwing__Function *function = function_of("1", "r", "f");
    struct function_row *row = function_cache_add(cache, function, 7);
    struct function_row *found = function_cache_find(cache, "1", "r", "f", 0, 7);

    EXPECT(found == row);
    EXPECT(row->function == function);
    EXPECT(function_cache_find(cache, "1", "r", "f", 0, 8) == NULL);
    EXPECT(function_cache_find(cache, "1", "r", "f", 0, 6) == NULL);
    function_row_drop(found);
    function_row_drop(row);
    function_cache_free(cache);
}

TEST(account_region_and_name_tell_rows_apart)
{
    struct function_cache *cache = function_cache_new();

    function_row_drop(function_cache_add(cache, function_of("1", "r", "f"), 7));
    EXPECT(function_cache_find(cache, "2", "r", "f", 0, 7) == NULL);
    EXPECT(function_cache_find(cache, "1", "s", "f", 0, 7) == NULL);
    EXPECT(function_cache_find(cache, "1", "r", "g", 0, 7) == NULL);
    EXPECT(function_cache_find(cache, "1r", "", "f", 0, 7) == NULL);
    function_cache_free(cache);
}

TEST(versions_of_a_function_have_rows_of_their_own)
{
    struct function_cache *cache = function_cache_new();
    Lapwing__Function *version = function_of("1", "r", "f");
    struct function_row *found;

    version->version = 3;
    function_row_drop(function_cache_add(cache, version, 7));
    EXPECT(function_cache_find(cache, "1", "r", "f", 0, 7) == NULL);
    EXPECT(function_cache_find(cache, "1", "r", "f", 2, 7) == NULL);
    found = function_cache_find(cache, "1", "r", "f", 3, 7);
    EXPECT(found != NULL);
    function_row_drop(found);
    function_cache_free(cache);
}

TEST(who_holds_a_row_keeps_it_beyond_its_place)
{
    struct function_cache *cache = function_cache_new();
    struct function_row *old = function_cache_add(cache, function_of("1", "r", "f"), 7);
    struct function_row *now = function_cache_add(cache, function_of("1", "r", "f"), 8);

    EXPECT(old != now);
    EXPECT_EQ(old->holders, 1);
    EXPECT_TEXT(old->function->name, "f");
    function_cache_free(cache);
    EXPECT_EQ(now->holders, 1);
    function_row_drop(old);
    function_row_drop(now);
    function_row_drop(NULL);
}
