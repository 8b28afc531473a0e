/* libxml2's reader, narrowed to elements and text. */
#include "objstore/s3/s3_xml_read.h"

#include <libxml/xmlreader.h>
#include <limits.h>
#include <string.h>

#include "base/check.h"

/* Nothing is fetched, nothing is printed.  Entities are not replaced: whoever declares one is
 * refused before it could be used. */
enum { OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING };

/* Some errors have no reader to belong to yet, and are printed whatever the options say. */
static void say_nothing(void *context, const char *format, ...)
{
}

void s3_xml_init(struct s3_xml *xml, struct bytes document)
{
    memset(xml, 0, sizeof *xml);
    xmlSetGenericErrorFunc(NULL, say_nothing); /* of this thread */
    CHECK(document.len <= INT_MAX);
    /* The encoding is ours to say, whatever the document declares: S3 speaks UTF-8. */
    xml->reader =
        xmlReaderForMemory((const char *)document.data, (int)document.len, NULL, "UTF-8", OPTIONS);
}

void s3_xml_done(struct s3_xml *xml)
{
    xmlFreeTextReader(xml->reader);
    buf_done(&xml->text);
}

static struct bytes local_name(struct s3_xml *xml)
{
    return bytes_of_text((const char *)xmlTextReaderConstLocalName(xml->reader));
}

static enum s3_xml_kind open_element(struct s3_xml *xml, struct bytes *out_name)
{
    if (xml->depth == S3_XML_DEPTH_MAX)
        return S3_XML_BAD;
    *out_name = local_name(xml);
    xml->names[xml->depth++] = *out_name;
    xml->is_closing = xmlTextReaderIsEmptyElement(xml->reader) == 1;
    xml->text.len = 0;
    return S3_XML_OPEN;
}

static enum s3_xml_kind close_element(struct s3_xml *xml, struct bytes *out_name)
{
    CHECK(xml->depth > 0); /* the reader matches the tags */
    *out_name = xml->names[--xml->depth];
    return S3_XML_CLOSE;
}

static void append_text(struct s3_xml *xml)
{
    buf_append_text(&xml->text, (const char *)xmlTextReaderConstValue(xml->reader));
}

enum s3_xml_kind s3_xml_next(struct s3_xml *xml, struct bytes *out_name)
{
    int more;

    xml->text.len = 0;
    if (xml->is_closing) {
        xml->is_closing = false;
        return close_element(xml, out_name);
    }
    while (xml->reader != NULL && (more = xmlTextReaderRead(xml->reader)) == 1) {
        switch (xmlTextReaderNodeType(xml->reader)) {
        case XML_READER_TYPE_ELEMENT:
            return open_element(xml, out_name);
        case XML_READER_TYPE_END_ELEMENT:
            return close_element(xml, out_name);
        case XML_READER_TYPE_TEXT:
        case XML_READER_TYPE_CDATA:
        case XML_READER_TYPE_WHITESPACE:
        case XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
            append_text(xml);
            break;
        case XML_READER_TYPE_COMMENT:
        case XML_READER_TYPE_PROCESSING_INSTRUCTION:
            break;
        default:
            return S3_XML_BAD; /* a DOCTYPE above all, and references to what it declares */
        }
    }
    return xml->reader != NULL && more == 0 && xml->depth == 0 ? S3_XML_END : S3_XML_BAD;
}

bool s3_xml_is_in(const struct s3_xml *xml, const char *path)
{
    for (unsigned i = 0; i < xml->depth; i++) {
        size_t len = strcspn(path, "/");
        bool is_last = path[len] == '\0';

        if (!bytes_equal(xml->names[i], bytes_of(path, len)))
            return false;
        if (is_last)
            return i + 1 == xml->depth;
        path += len + 1;
    }
    return false;
}
