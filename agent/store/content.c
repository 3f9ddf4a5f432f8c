/*
 * content.c - the files of a generation.
 *
 * The order of writing is what makes a crash in pending/ harmless: chain and meta.json, then the
 * leaf, then fullchain.pem, then the exports. A pass that is killed in between leaves either no
 * leaf (the API still has it; it is found by its public key) or all that is needed to finish
 * (generation_recover(); of exports it makes none). All files and the directory are synced before
 * the directory gets its number: after a power cut a number stands for whole files or does not
 * exist.
 */
#include "store/content.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pki/export.h"
#include "store/meta.h"

int content_take(EVP_PKEY *key, bool keyless, X509 *leaf, const struct generation_files *files,
		 struct content *ret_content, struct error *error)
{
	if (keyless && files->formats & GENERATION_KEY_FORMATS) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "formats p12 and combined hold the private key, which is not on this "
			  "host");
		return error_remedy(error, "leave them out, or give the key with private_key");
	}
	if (files->formats & FORMAT_P12 && (!files->password || !files->name))
		return error_set(error, ERROR_BUG, -EINVAL,
				 "a keystore was asked for without its password or name");
	*ret_content = (struct content){
		.key = key,
		.keyless = keyless,
		.leaf = leaf,
		.root = files->root,
		.chain_root = files->root && files->chain_root,
		.formats = files->formats,
		.password = files->password,
		.name = files->name,
		.access = files->access,
	};
	return 0;
}

static int chain_print(const struct content *content, struct buffer *text, struct error *error)
{
	return content->chain_root ? leaf_write_pem(content->root, text, error) : 0;
}

static int fullchain_print(const struct content *content, struct buffer *text, struct error *error)
{
	int result = leaf_write_pem(content->leaf, text, error);
	return result < 0 ? result : chain_print(content, text, error);
}

int content_print(const struct content *content, enum part part, struct buffer *text,
		  struct error *error)
{
	X509 *above = content->chain_root ? content->root : NULL;
	switch (part) {
	case PART_KEY:
		return key_write_pem(content->key, text, error);
	case PART_CERT:
		return leaf_write_pem(content->leaf, text, error);
	case PART_CHAIN:
		return chain_print(content, text, error);
	case PART_FULLCHAIN:
		return fullchain_print(content, text, error);
	case PART_DER:
		return export_der(content->leaf, text, error);
	case PART_P7B:
		return export_p7b(content->leaf, content->root, text, error);
	case PART_P12:
		return export_p12(content->key, content->leaf, above, content->name,
				  content->password, text, error);
	case PART_COMBINED: {
		int result = fullchain_print(content, text, error);
		return result < 0 ? result : key_write_pem(content->key, text, error);
	}
	default:
		return error_set(error, ERROR_BUG, -EINVAL, "nothing tells what stands in %s",
				 part_name(part));
	}
}

void content_describe(const struct content *content, struct generation_meta *meta)
{
	meta->keyless = content->keyless;
	meta->formats = content->formats;
	meta->chain_root = content->chain_root;
	meta->root_sha256[0] = '\0';
	if (content->root && leaf_sha256(content->root, meta->root_sha256, NULL) < 0)
		meta->root_sha256[0] = '\0';
}

/* Descriptors of the files that still have to be synced. */
struct open_parts {
	int fd[PART_COUNT];
};

static void open_parts_close(const struct open_parts *parts)
{
	for (enum part part = 0; part < PART_COUNT; part++)
		if (parts->fd[part] >= 0)
			close(parts->fd[part]);
}

static int content_write(int directory, const char *path, const struct content *content,
			 enum part part, struct open_parts *parts, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER((size_t)2 * FILE_LIMIT);
	int result = content_print(content, part, &text, error);
	if (result < 0) {
		error_prefix(error, "cannot make %s/%s", path, part_name(part));
		return result;
	}
	return part_write(directory, path, part, buffer_text(&text), text.length, &content->access,
			  &parts->fd[part], error);
}

/* Without a chain it is the leaf once more: a second name of the same file, which spares its blocks
 * and its sync. Some file systems have no second names. */
static int fullchain_write(int directory, const char *path, const struct content *content,
			   struct open_parts *parts, struct error *error)
{
	if (!content->chain_root) {
		if (unlinkat(directory, GENERATION_FULLCHAIN, 0) < 0 && errno != ENOENT)
			return error_errno(error, -errno, "cannot replace %s/%s", path,
					   GENERATION_FULLCHAIN);
		if (linkat(directory, GENERATION_CERT, directory, GENERATION_FULLCHAIN, 0) == 0)
			return 0;
	}
	return content_write(directory, path, content, PART_FULLCHAIN, parts, error);
}

static int meta_write(int directory, const char *path, const struct content *content,
		      const struct generation_meta *meta, struct open_parts *parts,
		      struct error *error)
{
	CLEANUP(freep) char *description = meta_print(meta);
	return part_write(directory, path, PART_META, description, strlen(description),
			  &content->access, &parts->fd[PART_META], error);
}

/* One that was wanted when its room was taken, or that a crash left half written, goes. */
static int export_settle(int directory, const char *path, const struct content *content,
			 enum part part, struct open_parts *parts, struct error *error)
{
	if (content->formats & part_format(part))
		return content_write(directory, path, content, part, parts, error);
	if (unlinkat(directory, part_name(part), 0) < 0 && errno != ENOENT)
		return error_errno(error, -errno, "cannot remove %s/%s", path, part_name(part));
	return 0;
}

static int parts_write(int directory, const char *path, const struct content *content,
		       const struct generation_meta *meta, struct open_parts *parts,
		       struct error *error)
{
	int result = content_write(directory, path, content, PART_CHAIN, parts, error);
	if (result == 0)
		result = meta_write(directory, path, content, meta, parts, error);
	if (result == 0)
		result = content_write(directory, path, content, PART_CERT, parts, error);
	if (result == 0)
		result = fullchain_write(directory, path, content, parts, error);
	for (enum part part = PART_EXPORTS; result == 0 && part < PART_COUNT; part++)
		result = export_settle(directory, path, content, part, parts, error);
	return result;
}

int content_fill(int directory, const char *path, const struct content *content,
		 struct generation_meta *meta, struct error *error)
{
	CLEANUP(open_parts_close) struct open_parts parts;
	for (enum part part = 0; part < PART_COUNT; part++)
		parts.fd[part] = -1;
	content_describe(content, meta);
	int result = parts_write(directory, path, content, meta, &parts, error);
	/* An empty file is nothing but its name, which the directory's sync takes along. */
	for (enum part part = 0; result == 0 && part < PART_COUNT; part++)
		if (parts.fd[part] >= 0 && !(part == PART_CHAIN && !content->chain_root))
			result = part_sync(parts.fd[part], path, part, error);
	return result < 0 ? result : directory_sync(directory, path, error);
}

void meta_complete(struct generation_meta *meta, struct leaf_facts *facts)
{
	struct generation_meta told = {0};
	meta_from_facts(facts, &told);
	if (!meta->id && !meta->placeholder)
		meta->id = TAKE_PTR(told.id);
	if (!meta->created)
		meta->created = clock_now();
	if (!meta->facts.sha256[0]) {
		leaf_facts_free(&meta->facts);
		meta->facts = *facts;
		*facts = (struct leaf_facts){0};
	}
	generation_meta_free(&told);
}
