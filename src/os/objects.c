/* SPDX-License-Identifier: MIT */
/*
 * objects.c: walks the loaded objects as an unwinder does, and looks names up in their hash tables.
 *
 * What is read is what the dynamic linker itself reads: the segment of type PT_DYNAMIC, and from
 * there symbols, strings and a hash table of either kind.
 *
 * dl_iterate_phdr takes a lock of the dynamic linker, which in the child of a fork may be that of a
 * thread that vanished with it: there the linker's list for debuggers is walked instead. Nobody
 * changes it meanwhile but a thread of the child that calls dlopen or dlclose.
 */
#define _GNU_SOURCE
#include "src/os/objects.h"

#include "src/os/os.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

#pragma weak _r_debug /* the dynamic linker's, which is not to be named as needed */

/* Const after it is read; points into the object. */
struct object {
    const char *file;
    ElfW(Addr) base;
    const ElfW(Dyn) * dynamic; /* NULL: an object without symbols */
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash;
    const uint32_t *sysv_hash;
    const char *soname;
};

/* One look-up; order is that of hak_os_symbol_for, lower is better. */
enum { OWN, NEEDED, OTHER, NOWHERE };
struct search {
    const void *from;
    const char *name;
    struct object home; /* the object of `from` */
    void *found;
    int order;
};

/* glibc adds the base to these entries where it can write to them (not in the vdso). */
static const void *address_in(const struct object *object, ElfW(Addr) value) {
    return (const void *)(value < object->base ? object->base + value : value);
}

static void read_dynamic(struct object *object) {
    ElfW(Addr) soname = 0;
    bool has_soname = false;
    for (const ElfW(Dyn) *entry = object->dynamic; entry->d_tag != DT_NULL; entry++) {
        const void *table = address_in(object, entry->d_un.d_ptr);
        if (entry->d_tag == DT_SYMTAB) object->symbols = table;
        if (entry->d_tag == DT_STRTAB) object->strings = table;
        if (entry->d_tag == DT_GNU_HASH) object->gnu_hash = table;
        if (entry->d_tag == DT_HASH) object->sysv_hash = table;
        if (entry->d_tag != DT_SONAME) continue;
        soname = entry->d_un.d_val;
        has_soname = true;
    }
    if (has_soname && object->strings != NULL) object->soname = object->strings + soname;
}

static struct object read_object(const struct dl_phdr_info *info) {
    struct object object = {.file = info->dlpi_name, .base = info->dlpi_addr};
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
        object.dynamic = (const ElfW(Dyn) *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        read_dynamic(&object);
        break;
    }
    return object;
}

static bool contains(const struct dl_phdr_info *info, const void *address) {
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD && (uintptr_t)address - begin < segment->p_memsz) {
            return true;
        }
    }
    return false;
}

static bool defines(const struct object *object, uint32_t index, const char *name) {
    const ElfW(Sym) *symbol = &object->symbols[index];
    const unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_OBJECT) &&
           strcmp(object->strings + symbol->st_name, name) == 0;
}

/* Index of the symbol; 0 (reserved in every table) when there is none. */
static uint32_t look_up_gnu(const struct object *object, const char *name) {
    const uint32_t *table = object->gnu_hash;
    const uint32_t bucket_count = table[0], first = table[1], bloom_words = table[2];
    const uint32_t *buckets = table + 4 + bloom_words * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
    const uint32_t *chains = buckets + bucket_count;
    uint32_t hash = 5381;
    for (const unsigned char *at = (const unsigned char *)name; *at != 0; at++) {
        hash = hash * 33 + *at;
    }
    uint32_t index = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
    if (index < first) return 0;
    for (;; index++) {
        const uint32_t chained = chains[index - first]; /* bit 0: the chain ends here */
        if ((chained | 1) == (hash | 1) && defines(object, index, name)) return index;
        if ((chained & 1) != 0) return 0;
    }
}

static uint32_t look_up_sysv(const struct object *object, const char *name) {
    const uint32_t bucket_count = object->sysv_hash[0];
    const uint32_t *buckets = object->sysv_hash + 2;
    const uint32_t *chains = buckets + bucket_count;
    uint32_t hash = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at != 0; at++) {
        hash = (hash << 4) + *at;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    uint32_t index = bucket_count == 0 ? 0 : buckets[hash % bucket_count];
    while (index != 0 && !defines(object, index, name)) {
        index = chains[index];
    }
    return index;
}

static void *symbol_of(const struct object *object, const char *name) {
    if (object->symbols == NULL || object->strings == NULL) return NULL;
    uint32_t index = 0;
    if (object->gnu_hash != NULL)
        index = look_up_gnu(object, name);
    else if (object->sysv_hash != NULL)
        index = look_up_sysv(object, name);
    return index == 0 ? NULL : (void *)(object->base + object->symbols[index].st_value);
}

/* Whether `home` names the library as needed. */
static bool needs(const struct object *home, const struct object *library) {
    const char *slash = strrchr(library->file, '/');
    const char *file = slash == NULL ? library->file : slash + 1;
    const char *library_name = library->soname != NULL ? library->soname : file;
    if (home->dynamic == NULL || home->strings == NULL) return false;
    for (const ElfW(Dyn) *entry = home->dynamic; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag != DT_NEEDED) continue;
        if (strcmp(home->strings + entry->d_un.d_val, library_name) == 0) return true;
    }
    return false;
}

static int find_home(struct dl_phdr_info *info, size_t bytes, void *data) {
    struct search *search = data;
    (void)bytes;
    if (!contains(info, search->from)) return 0;
    search->home = read_object(info);
    return 1;
}

static int find_symbol(struct dl_phdr_info *info, size_t bytes, void *data) {
    struct search *search = data;
    (void)bytes;
    const struct object object = read_object(info);
    int order = OTHER;
    if (object.dynamic != NULL && object.dynamic == search->home.dynamic)
        order = OWN;
    else if (needs(&search->home, &object))
        order = NEEDED;
    if (order >= search->order) return 0;
    void *symbol = symbol_of(&object, search->name);
    if (symbol == NULL) return 0;
    search->found = symbol;
    search->order = order;
    return order == OWN;
}

typedef int visit_fn(struct dl_phdr_info *, size_t, void *);

/* The first object of the list is the program, whose headers the kernel tells of; those of the
 * others lie at the beginning of what was loaded. Without headers: no memory is read. */
static struct dl_phdr_info info_of(const struct link_map *map, bool is_program) {
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)map->l_addr;
    struct dl_phdr_info info = {.dlpi_addr = map->l_addr, .dlpi_name = map->l_name};
    if (is_program) {
        info.dlpi_phdr = (const ElfW(Phdr) *)getauxval(AT_PHDR);
        info.dlpi_phnum = (ElfW(Half))getauxval(AT_PHNUM);
    } else if (header != NULL && hak_os_is_readable(header) &&
               memcmp(header->e_ident, ELFMAG, SELFMAG) == 0) {
        info.dlpi_phdr = (const ElfW(Phdr) *)(map->l_addr + header->e_phoff);
        info.dlpi_phnum = header->e_phnum;
    }
    return info;
}

static void visit_list(visit_fn *visit, struct search *search) {
    const struct link_map *first = &_r_debug == NULL ? NULL : _r_debug.r_map;
    for (const struct link_map *map = first; map != NULL; map = map->l_next) {
        struct dl_phdr_info info = info_of(map, map == first);
        if (visit(&info, sizeof(info), search) != 0) return;
    }
}

static void visit_objects(visit_fn *visit, struct search *search) {
    if (hak_os_is_child())
        visit_list(visit, search);
    else
        (void)dl_iterate_phdr(visit, search);
}

static struct search search_from(const void *from, const char *name) {
    struct search search = {.from = from, .name = name, .order = NOWHERE};
    visit_objects(find_home, &search);
    return search;
}

void *hak_os_symbol_for(const void *from, const char *name) {
    struct search search = search_from(from, name);
    visit_objects(find_symbol, &search);
    return search.found;
}

void *hak_os_symbol_beside(const void *at, const char *name) {
    const struct search search = search_from(at, name);
    return symbol_of(&search.home, name);
}
