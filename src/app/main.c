/* main.c - the `tarn` binary: finds the subcommand and runs it. */
#include "app/command.h"
#include "app/nearest.h"

#include <stdio.h>
#include <string.h>

static void print_commands(FILE *to)
{
    fprintf(to, "usage: tarn COMMAND [flags]\n\n"
                "An in-memory store for the metrics of HPC clusters.\n\n");
    for (size_t i = 0; i < ta_n_commands; i++)
        fprintf(to, "  %-21s %s\n", ta_commands[i]->name, ta_commands[i]->summary);
    fprintf(to, "\n  --version             print the version\n"
                "\n`tarn COMMAND --help` shows the flags of a command.\n");
}

/* How many words of argv name the command: 0 if they do not. */
static int match(const char *name, int argc, char **argv)
{
    int words = 0;

    for (const char *p = name; *p; words++) {
        size_t n = strcspn(p, " ");

        if (words >= argc || strlen(argv[words]) != n || memcmp(argv[words], p, n) != 0)
            return 0;
        p += n + (p[n] == ' ');
    }
    return words;
}

static int unknown(int argc, char **argv)
{
    struct ta_nearest near;
    char wanted[100];

    snprintf(wanted, sizeof(wanted), "%.40s%s%.40s", argv[0],
             argc > 1 && strcmp(argv[0], "bench") == 0 ? " " : "",
             argc > 1 && strcmp(argv[0], "bench") == 0 ? argv[1] : "");
    ta_nearest_init(&near, ta_str(wanted));
    for (size_t i = 0; i < ta_n_commands; i++)
        ta_nearest_offer(&near, ta_commands[i]->name);
    fprintf(stderr, "tarn: unknown command \"%s\"", wanted);
    if (near.best)
        fprintf(stderr, "; did you mean `tarn %s`?", near.best);
    fprintf(stderr, "\nRun `tarn --help` for the list of commands.\n");
    return TA_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *program = slash ? slash + 1 : argc > 0 ? argv[0] : "tarn";

    if (strcmp(program, "cc-metric-store") == 0)
        return ta_cmd_reference.run(&ta_cmd_reference, argc - 1, argv + 1);
    if (argc < 2) {
        print_commands(stderr);
        return TA_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-version") == 0 ||
        strcmp(argv[1], "version") == 0) {
        printf("tarn %s\n", TARN_VERSION);
        return TA_EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "-help") == 0 || strcmp(argv[1], "help") == 0) {
        print_commands(stdout);
        return TA_EXIT_OK;
    }
    for (size_t i = 0; i < ta_n_commands; i++) {
        int words = match(ta_commands[i]->name, argc - 1, argv + 1);

        if (words > 0)
            return ta_commands[i]->run(ta_commands[i], argc - 1 - words, argv + 1 + words);
    }
    return unknown(argc - 1, argv + 1);
}
