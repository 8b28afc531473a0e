/* Log lines of the platform.  Deciding code: the calendar is arithmetic on the time that is given.
 */
#include "worker/agent/report.h"

/* The runtime's ARN carries a hash of its contents at AWS; here it only names the runtime. */
void report_init_start(struct buf *out, const char *runtime, const char *region)
{
    buf_printf(out,
               "INIT_START Runtime Version: %s\tRuntime Version ARN: arn:aws:lambda:%s::runtime:%s",
               runtime, region, runtime);
}

void report_start(struct buf *out, const char *request_id, const char *version)
{
    buf_printf(out, "START RequestId: %s Version: %s", request_id, version);
}

void report_end(struct buf *out, const char *request_id)
{
    buf_printf(out, "END RequestId: %s", request_id);
}

static void append_ms(struct buf *out, uint64_t us)
{
    /* Two decimals, rounded. */
    uint64_t hundredths = (us + 5) / 10;

    buf_printf(out, "%llu.%02llu ms", (unsigned long long)(hundredths / 100),
               (unsigned long long)(hundredths % 100));
}

void report_line(struct buf *out, const struct report *report)
{
    buf_printf(out, "REPORT RequestId: %s\tDuration: ", report->request_id);
    append_ms(out, report->duration_us);
    buf_printf(out, "\tBilled Duration: %llu ms\tMemory Size: %u MB\tMax Memory Used: %u MB\t",
               (unsigned long long)((report->duration_us + 999) / 1000), report->memory_mb,
               report->max_memory_mb);
    if (report->init_us > 0) {
        buf_append_text(out, "Init Duration: ");
        append_ms(out, report->init_us);
        buf_append_text(out, "\t\t"); /* two, as recorded */
    }
    if (report->status != NULL)
        buf_printf(out, "Status: %s\t", report->status);
    if (report->status != NULL && report->error_type != NULL)
        buf_printf(out, "Error Type: %s\t", report->error_type);
}

void report_out_of_memory(struct buf *out, const char *request_id, uint32_t memory_mb)
{
    buf_printf(out,
               "RequestId: %s Error: killed at the memory limit: MemorySize is %u MB, and what is "
               "written to /tmp and /dev/shm or waits in sockets counts in it",
               request_id, memory_mb);
}

/* Days since the epoch to a date; the method counts years from March so that leap days come last.
 */
static void civil_from_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t z = days + 719468;
    uint64_t era = z / 146097;
    uint64_t doe = z - era * 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint64_t mp = (5 * doy + 2) / 153;

    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = (unsigned)(yoe + era * 400 + (*month <= 2));
}

void report_timed_out(struct buf *out, const char *request_id, uint64_t now_ms, uint32_t timeout_s)
{
    unsigned year, month, day;
    unsigned long long s = now_ms / 1000 % 86400;

    civil_from_days(now_ms / 86400000, &year, &month, &day);
    buf_printf(out,
               "%04u-%02u-%02uT%02llu:%02llu:%02llu.%03lluZ %s Task timed out after %u.00 seconds",
               year, month, day, s / 3600, s / 60 % 60, s % 60, (unsigned long long)(now_ms % 1000),
               request_id, timeout_s);
}
