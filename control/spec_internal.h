/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that decode config.json share. Private to control/spec*.c. */
#ifndef CM_CONTROL_SPEC_INTERNAL_H
#define CM_CONTROL_SPEC_INTERNAL_H

#include "control/spec.h"

#define SPEC_PATH_MAX 256
#define SPEC_COUNT(t) (sizeof(t) / sizeof((t)[0]))

/* What a field must be; SPEC_ANY leaves the check to the decoder. */
enum spec_type {
	SPEC_OBJECT,
	SPEC_ARRAY,
	SPEC_STRING,
	SPEC_INTEGER,
	SPEC_BOOLEAN,
	SPEC_TYPES
};

/* Store v, of the right type already, at dst; path names v in messages. 0 or -errno with err set. */
typedef int (*spec_decode_fn)(json_t *v, const char *path, void *dst, struct cm_err *err);

struct spec_field {
	const char *path; /* members joined by dots, from the object that the table describes */
	enum spec_type type;
	bool required; /* where its parent is present */
	spec_decode_fn decode; /* NULL: only the type is checked */
	size_t offset; /* of the member in the struct that the table fills */
};

int cm_spec_check_type(json_t *v, enum spec_type type, const char *path, struct cm_err *err);

/* Walk a table over obj, whose own path is prefix, and fill the struct at base. Parents stand before their members. 0 or -errno. */
int cm_spec_apply(const struct spec_field *table, size_t n, const json_t *obj, const char *prefix,
	void *base, struct cm_err *err);

/* The same for element i of an array of objects. */
int cm_spec_element(json_t *v, size_t i, const char *path, const struct spec_field *table, size_t n,
	void *dst, struct cm_err *err);

/* Allocate room for the elements of an array, one zeroed element more than there are. */
int cm_spec_array(json_t *v, size_t size, void *out, struct cm_err *err);

/* Decoders; dst is what the name says. */
int cm_spec_string(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_nonempty(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_abspath(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_bool(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_u32(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_i64(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_strv(json_t *v, const char *path, void *dst, struct cm_err *err);
int cm_spec_json(
	json_t *v, const char *path, void *dst, struct cm_err *err); /* json_t *, borrowed */

/* spec_host.c: hooks and resources. */
int cm_spec_parse_host(json_t *doc, struct cm_spec *spec, struct cm_err *err);
void cm_spec_destroy_host(struct cm_spec *spec);

/* spec_linux.c: the rest of "linux", and what cannot be honoured. */
int cm_spec_parse_linux(json_t *doc, struct cm_spec *spec, struct cm_err *err);
void cm_spec_destroy_linux(struct cm_spec *spec);

#endif
