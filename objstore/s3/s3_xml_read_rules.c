/* A pull parser for elements and text. */
#include "objstore/s3/s3_xml_read.h"

#include <string.h>

#include "base/check.h"

void s3_xml_init(struct s3_xml *xml, struct bytes document)
{
    memset(xml, 0, sizeof *xml);
    xml->rest = document;
    if (document.len >= 3 && memcmp(document.data, "\xef\xbb\xbf", 3) == 0)
        xml->rest = bytes_of(document.data + 3, document.len - 3);
}

void s3_xml_done(struct s3_xml *xml)
{
    buf_done(&xml->text);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip(struct s3_xml *xml, size_t len)
{
    CHECK(len <= xml->rest.len);
    xml->rest = bytes_of(xml->rest.data + len, xml->rest.len - len);
}

static bool starts_with(const struct s3_xml *xml, const char *text)
{
    size_t len = strlen(text);

    return xml->rest.len >= len && memcmp(xml->rest.data, text, len) == 0;
}

/* Behind the next `text`; false when there is none. */
static bool skip_behind(struct s3_xml *xml, const char *text)
{
    const uint8_t *found = memmem(xml->rest.data, xml->rest.len, text, strlen(text));

    if (found == NULL)
        return false;
    skip(xml, (size_t)(found - xml->rest.data) + strlen(text));
    return true;
}

/* ---- text ---- */

static bool append_character(struct buf *out, uint32_t value)
{
    uint8_t bytes[4];
    size_t len;

    if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return false;
    if (value < 0x80) {
        bytes[0] = (uint8_t)value;
        len = 1;
    } else if (value < 0x800) {
        bytes[0] = (uint8_t)(0xc0 | value >> 6);
        len = 2;
    } else if (value < 0x10000) {
        bytes[0] = (uint8_t)(0xe0 | value >> 12);
        len = 3;
    } else {
        bytes[0] = (uint8_t)(0xf0 | value >> 18);
        len = 4;
    }
    for (size_t i = 1; i < len; i++)
        bytes[i] = (uint8_t)(0x80 | (value >> (6 * (len - 1 - i)) & 0x3f));
    buf_append(out, bytes, len);
    return true;
}

static int digit_of(uint8_t c, unsigned base)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (base == 16 && c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "#38" or "#x26", without & and ; */
static bool append_number(struct buf *out, struct bytes name)
{
    unsigned base = name.len > 1 && name.data[1] == 'x' ? 16 : 10;
    size_t at = base == 16 ? 2 : 1;
    uint32_t value = 0;

    if (at == name.len)
        return false;
    for (; at < name.len; at++) {
        int digit = digit_of(name.data[at], base);

        if (digit < 0 || value > 0x10ffff)
            return false;
        value = value * base + (uint32_t)digit;
    }
    return append_character(out, value);
}

static bool append_entity(struct buf *out, struct bytes name)
{
    static const struct {
        const char *name;
        const char *text;
    } entities[] = {
        { "amp", "&" }, { "lt", "<" }, { "gt", ">" }, { "quot", "\"" }, { "apos", "'" },
    };

    if (name.len > 0 && name.data[0] == '#')
        return append_number(out, name);
    for (size_t i = 0; i < ARRAY_LEN(entities); i++) {
        if (!bytes_equal(name, bytes_of_text(entities[i].name)))
            continue;
        buf_append_text(out, entities[i].text);
        return true;
    }
    return false;
}

/* Text up to the next tag.  Outside the root only blanks may stand. */
static bool take_text(struct s3_xml *xml)
{
    while (xml->rest.len > 0 && xml->rest.data[0] != '<') {
        uint8_t c = xml->rest.data[0];
        const uint8_t *end;

        if (xml->depth == 0 && !is_blank(c))
            return false;
        if (c == 0)
            return false;
        if (c != '&') {
            buf_append(&xml->text, &c, 1);
            skip(xml, 1);
            continue;
        }
        end = memchr(xml->rest.data, ';', xml->rest.len < 16 ? xml->rest.len : 16);
        if (end == NULL || !append_entity(&xml->text, bytes_of(xml->rest.data + 1,
                                                               (size_t)(end - xml->rest.data) - 1)))
            return false;
        skip(xml, (size_t)(end - xml->rest.data) + 1);
    }
    return true;
}

/* ---- tags ---- */

static struct bytes without_prefix(struct bytes name)
{
    const uint8_t *colon = memchr(name.data, ':', name.len);

    if (colon == NULL)
        return name;
    return bytes_of(colon + 1, name.len - (size_t)(colon - name.data) - 1);
}

/* The name at the start of a tag, moved past. */
static struct bytes take_name(struct s3_xml *xml)
{
    size_t len = 0;
    struct bytes name;

    while (len < xml->rest.len && !is_blank(xml->rest.data[len]) && xml->rest.data[len] != '/' &&
           xml->rest.data[len] != '>' && xml->rest.data[len] != '<')
        len++;
    name = bytes_of(xml->rest.data, len);
    skip(xml, len);
    return name;
}

/* The end of an opening tag, its attributes skipped. */
static bool skip_attributes(struct s3_xml *xml)
{
    uint8_t quote = 0;

    xml->is_closing = false;
    for (size_t i = 0; i < xml->rest.len; i++) {
        uint8_t c = xml->rest.data[i];

        if (quote != 0) {
            quote = c == quote ? 0 : quote;
            continue;
        }
        if (c == '"' || c == '\'')
            quote = c;
        if (c == '<')
            return false;
        if (c != '>')
            continue;
        xml->is_closing = i > 0 && xml->rest.data[i - 1] == '/';
        skip(xml, i + 1);
        return true;
    }
    return false;
}

static enum s3_xml_kind open_tag(struct s3_xml *xml, struct bytes *out_name)
{
    struct bytes name;

    skip(xml, 1);
    name = take_name(xml);
    if (name.len == 0 || xml->depth == S3_XML_DEPTH_MAX)
        return S3_XML_BAD;
    if (xml->depth == 0 && xml->had_root)
        return S3_XML_BAD;
    if (!skip_attributes(xml))
        return S3_XML_BAD;
    xml->had_root = true;
    xml->names[xml->depth++] = name;
    xml->text.len = 0;
    *out_name = without_prefix(name);
    return S3_XML_OPEN;
}

static enum s3_xml_kind close_top(struct s3_xml *xml, struct bytes *out_name)
{
    CHECK(xml->depth > 0);
    xml->depth--;
    *out_name = without_prefix(xml->names[xml->depth]);
    return S3_XML_CLOSE;
}

static enum s3_xml_kind close_tag(struct s3_xml *xml, struct bytes *out_name)
{
    struct bytes name;

    skip(xml, 2);
    name = take_name(xml);
    while (xml->rest.len > 0 && is_blank(xml->rest.data[0]))
        skip(xml, 1);
    if (xml->rest.len == 0 || xml->rest.data[0] != '>')
        return S3_XML_BAD;
    skip(xml, 1);
    if (xml->depth == 0 || !bytes_equal(name, xml->names[xml->depth - 1]))
        return S3_XML_BAD;
    return close_top(xml, out_name);
}

enum s3_xml_kind s3_xml_next(struct s3_xml *xml, struct bytes *out_name)
{
    xml->text.len = 0;
    if (xml->is_closing) {
        xml->is_closing = false;
        return close_top(xml, out_name);
    }
    for (;;) {
        if (!take_text(xml))
            return S3_XML_BAD;
        if (xml->rest.len == 0)
            return xml->depth == 0 && xml->had_root ? S3_XML_END : S3_XML_BAD;
        if (starts_with(xml, "</"))
            return close_tag(xml, out_name);
        if (starts_with(xml, "<!--")) {
            if (!skip_behind(xml, "-->"))
                return S3_XML_BAD;
        } else if (starts_with(xml, "<?")) {
            if (!skip_behind(xml, "?>"))
                return S3_XML_BAD;
        } else if (starts_with(xml, "<!")) {
            return S3_XML_BAD;
        } else {
            return open_tag(xml, out_name);
        }
    }
}

bool s3_xml_is_in(const struct s3_xml *xml, const char *path)
{
    for (unsigned i = 0; i < xml->depth; i++) {
        size_t len = strcspn(path, "/");
        bool is_last = path[len] == '\0';

        if (!bytes_equal(without_prefix(xml->names[i]), bytes_of(path, len)))
            return false;
        if (is_last)
            return i + 1 == xml->depth;
        path += len + 1;
    }
    return false;
}
