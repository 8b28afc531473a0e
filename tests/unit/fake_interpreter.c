/* Prints what stands in PROGRAM.version, as an interpreter asked for its version would. */
#include <stdio.h>

int main(int argc, char **argv)
{
    char path[4096], text[64];
    FILE *file;

    (void)argc;
    (void)snprintf(path, sizeof path, "%s.version", argv[0]);
    file = fopen(path, "re");
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        return 1;
    (void)puts(text);
    (void)fclose(file);
    return 0;
}
