/* Bodies of the operations that make and change functions: any bytes get an input or an answer for
 * the client, never both. */
#include "base/check.h"
#include "controlplane/api/lambda/function_rules.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct function_scope scope = { .account = "000000000000", .region = "us-east-1" };
    struct bytes body = bytes_of(data, len);
    const Lapwing__Function row = LAPWING__FUNCTION__INIT;
    struct function_input input = { 0 };
    struct api_error error = { 0 };

    (void)function_create_check(body, &scope, "x86_64", &input, &error);
    function_input_done(&input);
    input = (struct function_input){ 0 };
    (void)function_update_code_check(body, "x86_64", &input, &error);
    function_input_done(&input);
    input = (struct function_input){ 0 };
    if (function_update_configuration_check(body, &input, &error) == ST_OK)
        function_configuration_merge(&row, &input);
    function_input_done(&input);
    input = (struct function_input){ 0 };
    (void)function_publish_check(body, &input, &error);
    function_input_done(&input);
    return 0;
}
