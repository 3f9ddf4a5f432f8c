/* access.c - owner, group and mode of what is written. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

#include "config/build.h"

enum {
	ENTRY_LIMIT = 1 << 20 /* bytes of one passwd or group entry; groups can have many members */
};

/* A number that is not (uid_t)-1, which would mean "leave". */
static bool id_parse(const char *text, unsigned *ret_id)
{
	unsigned long long id = 0;
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 10 || text[length] != '\0')
		return false;
	for (; *text; text++)
		id = id * 10 + (unsigned)(*text - '0');
	if (id >= UINT_MAX)
		return false;
	*ret_id = (unsigned)id;
	return true;
}

/* 0, -ENOENT for no such name, or what the system says. */
static int user_find(const char *name, char *space, size_t size, unsigned *ret_id)
{
	struct passwd entry;
	struct passwd *found = NULL;
	int result = getpwnam_r(name, &entry, space, size, &found);
	if (found)
		*ret_id = entry.pw_uid;
	return found ? 0 : result ? -result : -ENOENT;
}

static int group_find(const char *name, char *space, size_t size, unsigned *ret_id)
{
	struct group entry;
	struct group *found = NULL;
	int result = getgrnam_r(name, &entry, space, size, &found);
	if (found)
		*ret_id = entry.gr_gid;
	return found ? 0 : result ? -result : -ENOENT;
}

/* As the functions above, with space of the size that is needed. */
static int id_look_up(const char *name, int (*find)(const char *, char *, size_t, unsigned *),
		      unsigned *ret_id)
{
	int result = -ERANGE;
	for (size_t size = 1024; result == -ERANGE && size <= ENTRY_LIMIT; size *= 4) {
		CLEANUP(freep) char *space = memory_alloc(size, 1);
		result = find(name, space, size, ret_id);
	}
	return result;
}

/* 0, -ENOENT for no such name, or what the system says. */
static int account_find(struct account_cache *cache, const char *kind, const char *name,
			int (*find)(const char *, char *, size_t, unsigned *), unsigned *ret_id)
{
	CLEANUP(freep) char *known = string_format("%s %s", kind, name);
	for (size_t i = 0; i < cache->names.count; i++)
		if (strcmp(cache->names.items[i], known) == 0) {
			*ret_id = cache->ids[i];
			return 0;
		}

	int result = id_look_up(name, find, ret_id);
	/* POSIX and getpwnam(3): these, too, are ways to say that there is none. */
	if (result == -ESRCH || result == -EBADF || result == -EPERM)
		return -ENOENT;
	if (result == 0 && cache->names.count < ACCOUNT_CACHE_SIZE) {
		cache->ids[cache->names.count] = *ret_id;
		string_list_take(&cache->names, TAKE_PTR(known));
	}
	return result;
}

static int id_find(const struct value *value, struct account_cache *cache, const char *kind,
		   int (*find)(const char *, char *, size_t, unsigned *), unsigned *ret_id)
{
	if (id_parse(value->text, ret_id))
		return 0;
	int result = account_find(cache, kind, value->text, find, ret_id);
	if (result == -ENOENT) {
		value_refuse(value, "there is no such %s on this host", kind);
		return value_remedy(value, "create it first, or write another name or a number");
	}
	if (result < 0)
		return value_refuse(value, "cannot look up the %s: %s", kind,
				    strerrordesc_np(-result));
	return 0;
}

int group_look_up(const char *name, struct account_cache *cache, gid_t *ret_group)
{
	return account_find(cache, "group", name, group_find, ret_group);
}

int value_owner(const struct value *value, struct account_cache *cache, uid_t *ret_owner)
{
	return id_find(value, cache, "user", user_find, ret_owner);
}

int value_group(const struct value *value, struct account_cache *cache, gid_t *ret_group)
{
	return id_find(value, cache, "group", group_find, ret_group);
}

int value_mode(const struct value *value, mode_t forbidden, const char *why, mode_t *ret_mode)
{
	size_t length = strspn(value->text, "01234567");
	mode_t mode = 0;
	if (length < 3 || length > 5 || value->text[length] != '\0') {
		value_refuse(value, "not an octal mode");
		return value_remedy(value, "write something like 0640");
	}
	for (const char *digit = value->text; *digit; digit++)
		mode = mode * 8 + (mode_t)(*digit - '0');
	if (mode > 0777)
		return value_refuse(value, "must be at most 0777");
	if (!(mode & 0400))
		return value_refuse(value, "the owner must be able to read it");
	if (mode & forbidden)
		return value_refuse(value, "%s", why);
	*ret_mode = mode;
	return 0;
}
