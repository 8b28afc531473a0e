/* Error payloads.  Deciding code. */
#include "worker/agent/payloads.h"

#include <string.h>

#include "base/limits.h"

void payload_json_text(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_append(out, &c, 1);
    }
}

void payload_timed_out(struct buf *out, const char *request_id, uint32_t timeout_s)
{
    buf_append_text(out, "{\"errorType\":\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: ");
    payload_json_text(out, request_id);
    buf_printf(out, " Error: Task timed out after %u.00 seconds\"}", timeout_s);
}

/* The words Go's os.ProcessState uses, since that is what AWS's answers carry. */
static const char *signal_word(int32_t number)
{
    static const struct {
        int32_t number;
        const char *word;
    } words[] = {
        { 1, "hangup" },
        { 2, "interrupt" },
        { 3, "quit" },
        { 4, "illegal instruction" },
        { 5, "trace/breakpoint trap" },
        { 6, "aborted" },
        { 7, "bus error" },
        { 8, "floating point exception" },
        { 9, "killed" },
        { 10, "user defined signal 1" },
        { 11, "segmentation fault" },
        { 12, "user defined signal 2" },
        { 13, "broken pipe" },
        { 14, "alarm clock" },
        { 15, "terminated" },
        { 31, "bad system call" },
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].number == number)
            return words[i].word;
    return NULL;
}

void payload_exited(struct buf *out, const char *request_id, const struct exit_fact *fact)
{
    const char *word = fact->out_of_memory ? "killed" : signal_word(fact->code);

    buf_printf(out, "{\"errorType\":\"%s\",\"errorMessage\":\"RequestId: ", "Runtime.ExitError");
    payload_json_text(out, request_id);
    if (fact->out_of_memory || (fact->signaled && word != NULL))
        buf_printf(out, " Error: Runtime exited with error: signal: %s\"}", word);
    else if (fact->signaled)
        buf_printf(out, " Error: Runtime exited with error: signal: signal %d\"}", fact->code);
    else if (fact->code != 0)
        buf_printf(out, " Error: Runtime exited with error: exit status %d\"}", fact->code);
    else
        buf_append_text(out, " Error: Runtime exited without providing a reason\"}");
}

void payload_too_large(struct buf *out)
{
    buf_printf(
        out,
        "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload "
        "size exceeded maximum allowed payload size (%d bytes).\"}",
        PAYLOAD_BYTES_MAX);
}

void payload_failure(struct buf *out, const char *request_id, const char *text)
{
    buf_append_text(out, "{\"errorType\":\"Sandbox.Failure\",\"errorMessage\":\"RequestId: ");
    payload_json_text(out, request_id);
    buf_append_text(out, " Error: ");
    payload_json_text(out, text);
    buf_append_text(out, "\"}");
}

const char *payload_exit_type(const struct exit_fact *fact)
{
    return fact->out_of_memory ? "Runtime.OutOfMemory" : "Runtime.ExitError";
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

const char *payload_error_type(const char *type)
{
    static const char unknown[] = "Runtime.Unknown";
    const char *rest = NULL;

    if (strncmp(type, "Runtime.", 8) == 0)
        rest = type + 8;
    if (strncmp(type, "Function.", 9) == 0)
        rest = type + 9;
    if (rest == NULL || *rest < 'A' || *rest > 'Z' || rest[1] == '\0')
        return unknown;
    for (; *rest != '\0'; rest++)
        if (!is_letter(*rest))
            return unknown;
    return type;
}
