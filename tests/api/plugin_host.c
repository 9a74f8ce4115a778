/* SPDX-License-Identifier: MIT */
/*
 * plugin_host.c PLUGIN...: a C program that opens plugins, locally, and runs them one after the
 * other, twice. Nothing of C++ is there before the first is opened, or when none is: then a failing
 * operator new, called by its name, ends the process.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PLUGINS_MAX 4

static void *open_plugin(const char *path) {
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (plugin == NULL) fprintf(stderr, "plugin_host: %s\n", dlerror());
    return plugin;
}

static int run(void *plugin) {
    int (*run_plugin)(void) = NULL;
    void *address = dlsym(plugin, "run_plugin");
    memcpy(&run_plugin, &address, sizeof(address));
    return run_plugin == NULL ? 1 : run_plugin();
}

static int fail_without_plugins(void) {
    void *(*operator_new)(size_t size) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "_Znwm");
    memcpy(&operator_new, &address, sizeof(address));
    if (operator_new != NULL) operator_new((size_t)PTRDIFF_MAX);
    return 1;
}

int main(int argc, char **argv) {
    void *plugins[PLUGINS_MAX];
    int count = argc - 1, failures = 0;
    if (count == 0) return fail_without_plugins();
    if (count > PLUGINS_MAX) return 1;
    for (int i = 0; i < count; i++) {
        plugins[i] = open_plugin(argv[i + 1]);
        if (plugins[i] == NULL) return 1;
    }
    for (int i = 0; i < 2 * count; i++) {
        failures += run(plugins[i % count]);
    }
    return failures == 0 ? 0 : 1;
}
