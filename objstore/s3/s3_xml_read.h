/* The XML that clients send (CompleteMultipartUpload, Delete, CreateBucketConfiguration), element
 * by element.  A function of the document.
 *
 * Whoever signs may send 4 MiB of it to the loop, so what XML is abused through is refused: a
 * DOCTYPE and with it every entity but the five, and more than S3_XML_DEPTH_MAX levels.  Prefixes,
 * attributes, comments and processing instructions are skipped.  It is UTF-8, whatever it declares.
 */
#ifndef OBJSTORE_S3_S3_XML_READ_H
#define OBJSTORE_S3_S3_XML_READ_H

#include <stdbool.h>

#include "base/bytes.h"

enum { S3_XML_DEPTH_MAX = 8 };

enum s3_xml_kind {
    S3_XML_BAD,
    S3_XML_OPEN,  /* an element begins */
    S3_XML_CLOSE, /* it ends; `text` is what stands directly in it, behind its last child */
    S3_XML_END,   /* one element was there, whole, and nothing but blanks behind it */
};

struct s3_xml {
    struct _xmlTextReader *reader;        /* owned; NULL: not even begun */
    unsigned depth;                       /* open elements */
    struct bytes names[S3_XML_DEPTH_MAX]; /* of these, the reader's until s3_xml_done() */
    bool is_closing;                      /* <name/> was opened and closes next */
    struct buf text;                      /* owned */
};

/* `document` is borrowed until s3_xml_done(). */
void s3_xml_init(struct s3_xml *xml, struct bytes document);
void s3_xml_done(struct s3_xml *xml);

/* Go on.  out_name is the element's name without its prefix, on OPEN and CLOSE, good until
 * s3_xml_done(). */
enum s3_xml_kind s3_xml_next(struct s3_xml *xml, struct bytes *out_name);

/* The open elements, from the root on, are exactly `path`: "Delete/Object".  Asked at OPEN, the
 * new one counts; at CLOSE, the closed one does not any more. */
bool s3_xml_is_in(const struct s3_xml *xml, const char *path);

#endif
