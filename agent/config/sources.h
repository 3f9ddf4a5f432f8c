/*
 * sources.h - the files that a configuration is made of, and what counts instead of a bad one.
 *
 * The model is built in rounds. After the first one it is known which files are wrong; the next is
 * built with their last good definitions instead, and so on while that puts something right. What
 * only names something that is wrong in another file is right again in the next round.
 */
#ifndef ORIGIN_CA_CONFIG_SOURCES_H
#define ORIGIN_CA_CONFIG_SOURCES_H

#include "config/build.h"

/* Appends a file. `path` must live as long as the configuration; text NULL: it cannot be read. */
void source_add(struct config *config, const char *path, const char *text, size_t length);

/* Reads the sections of all files into `build->sections`, from what counts of each. */
void sources_read(struct build *build);

/* After a round: chooses the files of which the last good definitions are to count in another.
 * False when there are none (any more): the model stands. */
bool sources_replace(struct build *build);

/* Says which files are good, and tells of those that are not. */
void sources_finish(struct build *build);

void sources_free(struct config *config);

#endif
