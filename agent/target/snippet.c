#include "target/snippet.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/paths.h"
#include "pki/root.h"
#include "store/generation.h"
#include "target/keystore.h"
#include "target/kind.h"
#include "target/template_tree.h"
#include "target/truststore.h"

/* Counts up when the same input would give other bytes than before (a value is added or spelt
 * differently). */
#define SNIPPET_FORMAT "2"

/* The most that the fields of a digest can have; config's CONFIG_FILE_LIMIT is far below. */
enum {
	DIGEST_LIMIT = 1 << 26
};

/* Fields end in a 0 byte, which none of them has inside: no two lists of fields look the same. */
static void field_add(struct buffer *fields, const char *text)
{
	buffer_add(fields, text ? text : "", strlen(text ? text : "") + 1);
}

static void field_add_number(struct buffer *fields, uint64_t number)
{
	char digits[24];
	char *at = digits + sizeof(digits);
	*--at = '\0';
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	field_add(fields, at);
}

static void template_digest(struct snippet_template *template)
{
	struct buffer fields = BUFFER(DIGEST_LIMIT);
	field_add(&fields, SNIPPET_FORMAT);
	field_add(&fields, template->target->name);
	field_add_number(&fields, template->target->type);
	for (size_t i = 0; i < template->source_count; i++) {
		const struct snippet_source *source = &template->sources[i];
		field_add(&fields, source->name);
		field_add(&fields, source->path);
		field_add_number(&fields, source->text.length); /* a text may hold 0 bytes */
		buffer_add(&fields, buffer_text(&source->text), source->text.length);
	}
	digest_sha256(fields.data, fields.length, template->digest);
	buffer_free(&fields);
}

static int source_add(struct snippet_template *template, const char *name,
		      const struct string_list *directories, struct error *error)
{
	struct snippet_source source = {.text = BUFFER(TEMPLATE_LIMIT)};
	int result = template_load(name, directories, &source.text, &source.path, error);
	if (result < 0)
		return result;
	source.name = string_copy(name);
	template->sources =
		memory_grow(template->sources, template->source_count, sizeof(*template->sources));
	template->sources[template->source_count++] = source;
	return 0;
}

/* The partial of that name, which may also be the template itself; NULL when it is not loaded. */
static const struct snippet_source *partial_find(const struct snippet_template *template,
						 const char *name)
{
	for (size_t i = 1; i < template->source_count; i++)
		if (strcmp(template->sources[i].name, name) == 0)
			return &template->sources[i];
	return NULL;
}

/* Loads a partial that a tag names, unless it is there. */
static int partial_load(struct snippet_template *template, const struct template_tree *tree,
			const struct template_node *node, const struct string_list *directories,
			struct error *error)
{
	CLEANUP(freep)
	char *name = string_format("%.*s", TEMPLATE_NAME_ARGUMENTS(tree, node));
	if (partial_find(template, name))
		return 0;
	if (template->source_count > TEMPLATE_PARTIALS)
		return template_error(tree, node->tag, error, -E2BIG,
				      "more than %d different partials", TEMPLATE_PARTIALS);
	struct error found = {0};
	int result = source_add(template, name, directories, &found);
	if (result < 0) {
		template_error(tree, node->tag, error, result, "%s", found.message);
		error_remedy(error, "%s", found.remedy);
		if (error)
			error->class = found.class;
	}
	return result;
}

static void tree_freep(struct template_tree *tree)
{
	template_tree_free(tree);
}

/* Parses one source and loads the partials it names: they come to the end of the list. */
static int source_follow(struct snippet_template *template, size_t index,
			 const struct string_list *directories, struct error *error)
{
	const struct snippet_source *source = &template->sources[index];
	CLEANUP(freep) char *path = string_copy(source->path); /* the list may move */
	CLEANUP(tree_freep) struct template_tree tree;
	int result = template_tree_parse(path, buffer_text(&source->text), source->text.length,
					 &tree, error);
	for (size_t i = 0; i < tree.count && result == 0; i++)
		if (tree.nodes[i].type == TEMPLATE_PARTIAL)
			result = partial_load(template, &tree, &tree.nodes[i], directories, error);
	return result;
}

static void directories_list(const struct config *config, const char *template_name,
			     struct string_list *ret_directories)
{
	const char *slash = strrchr(template_name, '/');
	if (template_name[0] == '/')
		string_list_take(ret_directories,
				 string_copy_n(template_name, (size_t)(slash - template_name)));
	if (config->template_dir)
		string_list_add(ret_directories, config->template_dir);
	string_list_add(ret_directories, path_template_dir);
}

static int sources_load(const struct config *config, struct snippet_template *template,
			struct error *error)
{
	const char *name = template->target->template_name
				   ? template->target->template_name
				   : target_type_name(template->target->type);
	CLEANUP(string_list_free) struct string_list directories = {0};
	directories_list(config, name, &directories);
	int result = source_add(template, name, &directories, error);
	for (size_t i = 0; i < template->source_count && result == 0; i++)
		result = source_follow(template, i, &directories, error);
	return result;
}

int snippet_template_load(const struct config *config, const struct config_target *target,
			  struct snippet_template *ret_template, struct error *error)
{
	struct snippet_template template = {.target = target};
	int result = sources_load(config, &template, error);
	if (result < 0) {
		snippet_template_free(&template);
		return result;
	}
	template_digest(&template);
	*ret_template = template;
	return 0;
}

void snippet_template_free(struct snippet_template *template)
{
	for (size_t i = 0; i < template->source_count; i++) {
		free(template->sources[i].name);
		free(template->sources[i].path);
		buffer_free(&template->sources[i].text);
	}
	free(template->sources);
	*template = (struct snippet_template){0};
}

static const char *hostname_unicode(const struct config_certificate *certificate, size_t index)
{
	return index < certificate->hostnames_unicode.count
		       ? certificate->hostnames_unicode.items[index]
		       : certificate->hostnames.items[index];
}

static void hostnames_add(cJSON *values, const struct config_certificate *certificate)
{
	cJSON *list = json_add_array(values, "hostnames");
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		const char *name = certificate->hostnames.items[i];
		cJSON *hostname = json_append_object(list);
		json_add_string(hostname, "name", name);
		json_add_string(hostname, "unicode", hostname_unicode(certificate, i));
		json_add_bool(hostname, "wildcard", string_starts(name, "*."));
		json_add_bool(hostname, "first", i == 0);
		json_add_bool(hostname, "last", i + 1 == certificate->hostnames.count);
	}
}

static void paths_add(cJSON *values, const struct snippet_input *input)
{
	const struct config_certificate *certificate = input->certificate;
	char text[GENERATION_NAME_SIZE];
	CLEANUP(freep)
	char *directory = string_format("%s/certificates/%s/%s", input->state_dir,
					certificate->name, generation_name(input->number, text));
	json_add_format(values, "key", "%s/%s", directory, GENERATION_KEY);
	json_add_format(values, "certificate", "%s/%s", directory, GENERATION_CERT);
	json_add_format(values, "fullchain", "%s/%s", directory, GENERATION_FULLCHAIN);
	json_add_format(values, "live", "%s/live/%s", input->state_dir, certificate->name);
	if (certificate->formats & FORMAT_COMBINED)
		json_add_format(values, "combined", "%s/%s", directory, GENERATION_COMBINED);
	if (input->client_ca)
		json_add_string(values, "client_ca", input->client_ca);

	/* Without `chain = root` nothing is above the leaf: the file is there and empty. */
	struct stat status;
	CLEANUP(freep) char *chain = string_format("%s/%s", directory, GENERATION_CHAIN);
	if (stat(chain, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
		json_add_string(values, "chain", chain);
}

static void keystore_add(cJSON *values, const struct config_target *target,
			 const struct snippet_input *input)
{
	if (!target_kind(target->type)->keystore)
		return;
	CLEANUP(freep) char *file = keystore_file_name(input->certificate);
	json_add_format(values, "keystore", "%s/%s", target->snippet_dir, file);
	json_add_string(values, "keystore_password", input->keystore_password);
	if (!input->client_ca)
		return;
	CLEANUP(freep) char *truststore = truststore_file_name(input->certificate);
	json_add_format(values, "truststore", "%s/%s", target->snippet_dir, truststore);
}

/* How a remote target is set: a list of lines. */
static void settings_add(cJSON *values, const struct config_target *target)
{
	const struct target_kind *kind = target_kind(target->type);
	CLEANUP(string_list_free) struct string_list lines = {0};
	if (!kind->remote)
		return;
	kind->remote->describe(target, &lines);
	cJSON *list = json_add_array(values, "settings");
	for (size_t i = 0; i < lines.count; i++)
		json_add_string(json_append_object(list), "line", lines.items[i]);
}

/* snippet.h says what each is; snippet_rendered_from() must know of all that is added here. */
static cJSON *values_new(const struct snippet_template *template, const struct snippet_input *input)
{
	const struct config_certificate *certificate = input->certificate;
	const struct config_target *target = template->target;
	cJSON *values = json_object();
	json_add_string(values, "name", certificate->name);
	hostnames_add(values, certificate);
	paths_add(values, input);
	keystore_add(values, target, input);
	settings_add(values, target);
	json_add_integer(values, "generation", input->number);
	json_add_bool(values, "placeholder", input->number == 0);
	json_add_string(values, "key_type", key_type_name(input->key_type));
	json_add_integer(values, "validity", certificate->validity_days);
	json_add_string(values, "target", target->name);
	json_add_string(values, "type", target_type_name(target->type));
	json_add_string(values, "template", template->sources[0].path);
	json_add_string(values, "source", certificate->place.file);
	return values;
}

static int partial_give(const char *name, struct buffer *text, void *context, struct error *error)
{
	const struct snippet_source *source = partial_find(context, name);
	if (!source) /* all were loaded by their names, which are static */
		return error_set(error, ERROR_BUG, -EINVAL, "partial \"%s\" was not loaded", name);
	return buffer_add(text, buffer_text(&source->text), source->text.length);
}

/* cJSON frees what it holds as it is: the password must not stay in freed memory. */
static void values_free(cJSON **values)
{
	cJSON *password = cJSON_GetObjectItemCaseSensitive(*values, "keystore_password");
	if (cJSON_IsString(password))
		explicit_bzero(password->valuestring, strlen(password->valuestring));
	cJSON_Delete(*values);
}

int snippet_render(const struct snippet_template *template, const struct snippet_input *input,
		   struct buffer *text, struct error *error)
{
	const struct target_kind *kind = target_kind(template->target->type);
	if (kind->keystore && !input->keystore_password)
		return error_set(error, ERROR_BUG, -EINVAL,
				 "the snippet of certificate %s for target %s needs its keystore's "
				 "password",
				 input->certificate->name, template->target->name);
	const struct snippet_source *source = &template->sources[0];
	/* A context of callbacks cannot be const; partial_give() only reads it. */
	struct snippet_template reader = *template;
	struct template_options options = {
		.escape = kind->escape,
		.partial = partial_give,
		.context = &reader,
		.source_name = source->path,
	};
	CLEANUP(values_free) cJSON *values = values_new(template, input);
	return template_render(buffer_text(&source->text), source->text.length, values, &options,
			       text, error);
}

void snippet_rendered_from(const struct snippet_template *template,
			   const struct snippet_input *input, char digest[static SHA256_TEXT_SIZE])
{
	const struct config_certificate *certificate = input->certificate;
	struct buffer fields = BUFFER(DIGEST_LIMIT);
	field_add(&fields, template->digest);
	field_add(&fields, input->state_dir);
	field_add_number(&fields, input->number);
	field_add(&fields, certificate->name);
	field_add(&fields, certificate->place.file);
	field_add_number(&fields, input->key_type);
	field_add_number(&fields, (uint64_t)certificate->validity_days);
	field_add_number(&fields, (certificate->formats & FORMAT_COMBINED) != 0);
	field_add(&fields, input->client_ca ? input->client_ca : "");
	if (target_kind(template->target->type)->keystore) {
		field_add(&fields, template->target->snippet_dir);
		field_add(&fields, input->keystore_password);
	}
	CLEANUP(string_list_free) struct string_list lines = {0};
	if (target_kind(template->target->type)->remote)
		target_kind(template->target->type)->remote->describe(template->target, &lines);
	for (size_t i = 0; i < lines.count; i++)
		field_add(&fields, lines.items[i]);
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		field_add(&fields, certificate->hostnames.items[i]);
		field_add(&fields, hostname_unicode(certificate, i));
	}
	digest_sha256(fields.data, fields.length, digest);
	buffer_wipe(&fields);
}
