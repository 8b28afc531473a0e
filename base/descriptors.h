/* How many descriptors this process may have open.  Any thread. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

/* Raise the soft limit to the hard one: a shell starts programs with 1024, which a server's clients
 * use up.  Call first thing in main(). */
void descriptors_raise(void);

/* The soft limit, or UINT_MAX where there is none. */
unsigned descriptors_max(void);

#endif
