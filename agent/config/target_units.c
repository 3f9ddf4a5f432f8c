/* target_units.c - several targets of one unit, which has one way to take up what is new. */
#include <string.h>

#include "config/build.h"

/* The unit, or the type whose unit is looked for: as far as the text says which unit it is. */
static const char *unit_key(const struct config_target *target)
{
	return target->unit ? target->unit : target_type_name(target->type);
}

static int compare(const void *one, const void *other)
{
	const struct config_target *a = *(struct config_target *const *)one;
	const struct config_target *b = *(struct config_target *const *)other;
	int order = strcmp(unit_key(a), unit_key(b));
	return order != 0 ? order : strcmp(a->name, b->name);
}

static void method_warn(struct build *build, const struct config_target *first,
			const struct config_target *second)
{
	problem_warning(&build->problems, second->place,
			"target \"%s\" has \"reload = %s\", and target \"%s\" of the same unit has "
			"\"reload = %s\"",
			second->name, reload_method_name(second->reload), first->name,
			reload_method_name(first->reload));
	problem_remedy(&build->problems, "write the same in both");
}

/* "none" leaves it to whoever does reload the unit, which may be another target; a command has no
 * unit. */
static bool has_method(const struct config_target *target)
{
	return target->reload != RELOAD_NONE && target->reload != RELOAD_COMMAND &&
	       target->reload != RELOAD_DELIVER;
}

void targets_compare(struct build *build)
{
	const struct config *config = build->config;
	CLEANUP(freep)
	struct config_target **sorted =
		memory_alloc(config->target_count, sizeof(struct config_target *));
	size_t count = 0;
	for (size_t i = 0; i < config->target_count; i++)
		if (has_method(config->targets[i]))
			sorted[count++] = config->targets[i];
	if (count > 1)
		qsort(sorted, count, sizeof(struct config_target *), compare);

	for (size_t i = 1, first = 0; i < count; i++) {
		if (strcmp(unit_key(sorted[first]), unit_key(sorted[i])) != 0)
			first = i;
		else if (sorted[i]->reload != sorted[first]->reload)
			method_warn(build, sorted[first], sorted[i]);
	}
}
