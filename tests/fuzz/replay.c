/* A fuzz target without libFuzzer: run it on each file of the folders that are named. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The copy has the exact size, so that a sanitizer sees a byte read too far. */
static bool replay_file(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL) return false;
    char *data = NULL;
    size_t size = 0;
    FILE *const memory = open_memstream(&data, &size);
    if (memory == NULL) abort();
    for (int c = getc(file); c != EOF; c = getc(file)) {
        (void)putc(c, memory);
    }
    (void)fclose(file);
    (void)fclose(memory);

    uint8_t *const exact = malloc(size > 0 ? size : 1);
    if (exact == NULL) abort();
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return true;
}

static int replay_folder(const char *folder)
{
    DIR *const entries = opendir(folder);
    if (entries == NULL) return 0;
    int count = 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the only thread */
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && replay_file(path)) count++;
    }
    closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++) {
        count += replay_folder(argv[i]);
    }
    printf("%d inputs replayed\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
