/* SPDX-License-Identifier: Apache-2.0 */
/* config.json to struct cm_spec: one table of {path, type, required, decoder, member} walked over the document. */
#include <config.h>
#include "control/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/cleanup.h"
#include "control/buf.h"
#include "control/spec_internal.h"

static const char *const spec_type_names[] = {
	[SPEC_OBJECT] = "object",
	[SPEC_ARRAY] = "array",
	[SPEC_STRING] = "string",
	[SPEC_INTEGER] = "integer",
	[SPEC_BOOLEAN] = "boolean",
};
_Static_assert(sizeof(spec_type_names) / sizeof(spec_type_names[0]) == SPEC_TYPES, "a name a type");

static const char *spec_json_type(json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "object";
	case JSON_ARRAY:
		return "array";
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_REAL:
		return "number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	default:
		return "null";
	}
}

int cm_spec_check_type(json_t *v, enum spec_type type, const char *path, struct cm_err *err)
{
	bool ok = false;

	switch (type) {
	case SPEC_OBJECT:
		ok = json_is_object(v);
		break;
	case SPEC_ARRAY:
		ok = json_is_array(v);
		break;
	case SPEC_STRING:
		ok = json_is_string(v);
		break;
	case SPEC_INTEGER:
		ok = json_is_integer(v);
		break;
	case SPEC_BOOLEAN:
		ok = json_is_boolean(v);
		break;
	case SPEC_TYPES:
		break;
	}
	if (ok)
		return 0;
	return cm_err_set(
		err, 0, "%s: expected %s, got %s", path, spec_type_names[type], spec_json_type(v));
}

/*
 * The member that `path` names below obj, or NULL when it or a parent is absent (null counts as absent). *orphan tells that a parent
 * is: then "required" does not apply. A parent that is not an object was reported by its own row, which stands earlier.
 */
static json_t *spec_find(const json_t *obj, const char *path, bool *orphan)
{
	char name[64];
	const char *dot;
	json_t *v;

	*orphan = false;
	while ((dot = strchr(path, '.')) != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		obj = json_object_get(obj, name);
		if (!json_is_object(obj)) {
			*orphan = true;
			return NULL;
		}
		path = dot + 1;
	}
	v = json_object_get(obj, path);
	return json_is_null(v) ? NULL : v;
}

int cm_spec_apply(const struct spec_field *table, size_t n, const json_t *obj, const char *prefix,
	void *base, struct cm_err *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct spec_field *f = &table[i];
		char path[SPEC_PATH_MAX];
		bool orphan;
		json_t *v = spec_find(obj, f->path, &orphan);
		int r;

		snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", f->path);
		if (!v) {
			if (f->required && !orphan)
				return cm_err_set(err, 0, "%s: required field is missing", path);
			continue;
		}
		r = cm_spec_check_type(v, f->type, path, err);
		if (r == 0 && f->decode)
			r = f->decode(v, path, (char *)base + f->offset, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- decoders */

int cm_spec_string(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	*(const char **)dst = json_string_value(v);
	return 0;
}

int cm_spec_nonempty(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (!*json_string_value(v))
		return cm_err_set(err, 0, "%s: must not be empty", path);
	return cm_spec_string(v, path, dst, err);
}

int cm_spec_abspath(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (json_string_value(v)[0] != '/')
		return cm_err_set(
			err, 0, "%s: '%s' is not an absolute path", path, json_string_value(v));
	return cm_spec_string(v, path, dst, err);
}

static int spec_version(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (strncmp(json_string_value(v), "1.", 2) != 0)
		return cm_err_set(
			err, 0, "%s: '%s' is not supported, want 1.x", path, json_string_value(v));
	return cm_spec_string(v, path, dst, err);
}

int cm_spec_bool(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	*(bool *)dst = json_is_true(v);
	return 0;
}

int cm_spec_u32(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	json_int_t n = json_integer_value(v);

	/* The highest value means "no change" to the kernel's id calls. */
	if (n < 0 || n >= UINT32_MAX)
		return cm_err_set(err, 0, "%s: %lld is out of range", path, (long long)n);
	*(uint32_t *)dst = (uint32_t)n;
	return 0;
}

static int spec_umask(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (json_integer_value(v) < 0 || json_integer_value(v) > 0777)
		return cm_err_set(
			err, 0, "%s: %lld is out of range", path, (long long)json_integer_value(v));
	*(uint32_t *)dst = (uint32_t)json_integer_value(v);
	return 0;
}

/* The top of the range, which larger numbers were clamped to, means "no limit". */
static int spec_u64(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	json_int_t n = json_integer_value(v);

	if (n < 0)
		return cm_err_set(err, 0, "%s: %lld is out of range", path, (long long)n);
	*(uint64_t *)dst = n == INT64_MAX ? UINT64_MAX : (uint64_t)n;
	return 0;
}

int cm_spec_json(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	*(json_t **)dst = v;
	return 0;
}

int cm_spec_i64(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	*(int64_t *)dst = json_integer_value(v);
	return 0;
}

/* Allocate room for the elements of an array, one zeroed element more than there are. */
int cm_spec_array(json_t *v, size_t size, void *out, struct cm_err *err)
{
	void *p = calloc(json_array_size(v) + 1, size);

	if (!p)
		return cm_err_set(err, ENOMEM, "config.json");
	*(void **)out = p;
	return 0;
}

int cm_spec_strv(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec_strv *sv = dst;
	int r = cm_spec_array(v, sizeof(*sv->v), &sv->v, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		json_t *e = json_array_get(v, i);
		char epath[SPEC_PATH_MAX];

		snprintf(epath, sizeof(epath), "%s[%zu]", path, i);
		r = cm_spec_check_type(e, SPEC_STRING, epath, err);
		if (r == 0)
			sv->v[sv->n++] = json_string_value(e);
	}
	return r;
}

static int spec_args(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	if (json_array_size(v) == 0)
		return cm_err_set(err, 0, "%s: must not be empty", path);
	return cm_spec_strv(v, path, dst, err);
}

static int spec_groups(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	int r = cm_spec_array(v, sizeof(*spec->groups), &spec->groups, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++) {
		json_t *e = json_array_get(v, i);
		char epath[SPEC_PATH_MAX];

		snprintf(epath, sizeof(epath), "%s[%zu]", path, i);
		r = cm_spec_check_type(e, SPEC_INTEGER, epath, err);
		if (r == 0)
			r = cm_spec_u32(e, epath, &spec->groups[spec->ngroups++], err);
	}
	return r;
}

static int spec_caps(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	uint64_t *set = dst;

	for (size_t i = 0; i < json_array_size(v); i++) {
		json_t *e = json_array_get(v, i);
		char epath[SPEC_PATH_MAX];
		int r, cap;

		snprintf(epath, sizeof(epath), "%s[%zu]", path, i);
		r = cm_spec_check_type(e, SPEC_STRING, epath, err);
		if (r < 0)
			return r;
		cap = cm_spec_capability(json_string_value(e));
		if (cap >= 0)
			*set |= 1ULL << cap;
	}
	return 0;
}

static int spec_present(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	*(bool *)dst = true;
	return 0;
}

static int spec_annotations(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	const char *key;
	json_t *e;
	json_object_foreach(v, key, e)
	{
		if (!json_is_string(e))
			return cm_err_set(err, 0, "%s.%s: expected string, got %s", path, key,
				spec_json_type(e));
	}
	*(json_t **)dst = v;
	return 0;
}

static const struct spec_field spec_rlimit_fields[] = {
	{ "type", SPEC_STRING, true, cm_spec_nonempty, offsetof(struct cm_spec_rlimit, type) },
	{ "soft", SPEC_INTEGER, true, spec_u64, offsetof(struct cm_spec_rlimit, soft) },
	{ "hard", SPEC_INTEGER, true, spec_u64, offsetof(struct cm_spec_rlimit, hard) },
};

static const struct spec_field spec_mount_fields[] = {
	{ "destination", SPEC_STRING, true, cm_spec_nonempty,
		offsetof(struct cm_spec_mount, destination) },
	{ "type", SPEC_STRING, false, cm_spec_string, offsetof(struct cm_spec_mount, type) },
	{ "source", SPEC_STRING, false, cm_spec_string, offsetof(struct cm_spec_mount, source) },
	{ "options", SPEC_ARRAY, false, cm_spec_strv, offsetof(struct cm_spec_mount, options) },
};

int cm_spec_element(json_t *v, size_t i, const char *path, const struct spec_field *table, size_t n,
	void *dst, struct cm_err *err)
{
	json_t *e = json_array_get(v, i);
	char epath[SPEC_PATH_MAX];
	int r;

	snprintf(epath, sizeof(epath), "%s[%zu]", path, i);
	r = cm_spec_check_type(e, SPEC_OBJECT, epath, err);
	return r < 0 ? r : cm_spec_apply(table, n, e, epath, dst, err);
}

static int spec_rlimits(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	int r = cm_spec_array(v, sizeof(*spec->rlimits), &spec->rlimits, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = cm_spec_element(v, i, path, spec_rlimit_fields, SPEC_COUNT(spec_rlimit_fields),
			&spec->rlimits[spec->nrlimits++], err);
	return r;
}

static int spec_mounts(json_t *v, const char *path, void *dst, struct cm_err *err)
{
	struct cm_spec *spec = dst;
	int r = cm_spec_array(v, sizeof(*spec->mounts), &spec->mounts, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = cm_spec_element(v, i, path, spec_mount_fields, SPEC_COUNT(spec_mount_fields),
			&spec->mounts[spec->nmounts++], err);
	return r;
}

/* Parents stand before their members. */
#define AT(m) offsetof(struct cm_spec, m)
static const struct spec_field spec_fields[] = {
	{ "ociVersion", SPEC_STRING, true, spec_version, AT(oci_version) },
	{ "root", SPEC_OBJECT, true, NULL, 0 },
	{ "root.path", SPEC_STRING, true, cm_spec_nonempty, AT(root_path) },
	{ "root.readonly", SPEC_BOOLEAN, false, cm_spec_bool, AT(root_readonly) },
	{ "process", SPEC_OBJECT, true, NULL, 0 },
	{ "process.terminal", SPEC_BOOLEAN, false, cm_spec_bool, AT(terminal) },
	{ "process.user", SPEC_OBJECT, false, NULL, 0 },
	{ "process.user.uid", SPEC_INTEGER, false, cm_spec_u32, AT(uid) },
	{ "process.user.gid", SPEC_INTEGER, false, cm_spec_u32, AT(gid) },
	{ "process.user.umask", SPEC_INTEGER, false, spec_umask, AT(umask) },
	{ "process.user.additionalGids", SPEC_ARRAY, false, spec_groups, 0 },
	{ "process.args", SPEC_ARRAY, true, spec_args, AT(args) },
	{ "process.env", SPEC_ARRAY, false, cm_spec_strv, AT(env) },
	{ "process.cwd", SPEC_STRING, true, cm_spec_abspath, AT(cwd) },
	{ "process.noNewPrivileges", SPEC_BOOLEAN, false, cm_spec_bool, AT(no_new_privileges) },
	{ "process.capabilities", SPEC_OBJECT, false, spec_present, AT(has_caps) },
	{ "process.capabilities.bounding", SPEC_ARRAY, false, spec_caps,
		AT(caps[CM_RPC_CAP_BOUNDING]) },
	{ "process.capabilities.effective", SPEC_ARRAY, false, spec_caps,
		AT(caps[CM_RPC_CAP_EFFECTIVE]) },
	{ "process.capabilities.inheritable", SPEC_ARRAY, false, spec_caps,
		AT(caps[CM_RPC_CAP_INHERITABLE]) },
	{ "process.capabilities.permitted", SPEC_ARRAY, false, spec_caps,
		AT(caps[CM_RPC_CAP_PERMITTED]) },
	{ "process.capabilities.ambient", SPEC_ARRAY, false, spec_caps,
		AT(caps[CM_RPC_CAP_AMBIENT]) },
	{ "process.rlimits", SPEC_ARRAY, false, spec_rlimits, 0 },
	{ "hostname", SPEC_STRING, false, cm_spec_string, AT(hostname) },
	{ "domainname", SPEC_STRING, false, cm_spec_string, AT(domainname) },
	{ "mounts", SPEC_ARRAY, false, spec_mounts, 0 },
	{ "annotations", SPEC_OBJECT, false, spec_annotations, AT(annotations) },
	{ "linux", SPEC_OBJECT, false, NULL, 0 },
	{ "linux.maskedPaths", SPEC_ARRAY, false, cm_spec_strv, AT(masked_paths) },
	{ "linux.readonlyPaths", SPEC_ARRAY, false, cm_spec_strv, AT(readonly_paths) },
};
#undef AT

void cm_spec_clamp_integers(char *s, size_t len)
{
	static const char top[] = "9223372036854775807";
	size_t digits = sizeof(top) - 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		size_t n = 0;

		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
			continue;
		}
		in_string = s[i] == '"';
		while (i + n < len && s[i + n] >= '0' && s[i + n] <= '9')
			n++;
		if (n > digits || (n == digits && memcmp(s + i, top, n) > 0)) {
			memcpy(s + i, top, digits);
			memset(s + i + digits, ' ', n - digits);
		}
		if (n > 0)
			i += n - 1;
	}
}

static json_t *spec_load_json(const char *text, size_t len, json_error_t *jerr)
{
	cleanup_free char *copy = NULL;
	json_t *doc = json_loadb(text, len, 0, jerr);

	if (doc || json_error_code(jerr) != json_error_numeric_overflow)
		return doc;
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	cm_spec_clamp_integers(copy, len);
	return json_loadb(copy, len, 0, jerr);
}

int cm_spec_from_json(json_t *doc, struct cm_spec **out, struct cm_err *err)
{
	struct cm_spec *spec = calloc(1, sizeof(*spec));
	int r;

	*out = NULL;
	if (!spec) {
		json_decref(doc);
		return cm_err_set(err, ENOMEM, "config.json");
	}
	spec->doc = doc;
	spec->umask = 022;
	if (!json_is_object(doc))
		r = cm_err_set(err, 0, "expected object, got %s", spec_json_type(doc));
	else
		r = cm_spec_apply(spec_fields, SPEC_COUNT(spec_fields), doc, "", spec, err);
	if (r == 0)
		r = cm_spec_parse_host(doc, spec, err);
	if (r == 0)
		r = cm_spec_parse_linux(doc, spec, err);
	if (r < 0) {
		cm_spec_destroy(spec);
		return cm_err_wrap(err, "config.json");
	}
	*out = spec;
	return 0;
}

int cm_spec_parse(const char *text, size_t len, struct cm_spec **out, struct cm_err *err)
{
	json_error_t jerr;
	json_t *doc = spec_load_json(text, len, &jerr);

	*out = NULL;
	if (!doc)
		return cm_err_set(err, 0, "config.json: line %d column %d: %s", jerr.line,
			jerr.column, jerr.text);
	return cm_spec_from_json(doc, out, err);
}

static int spec_read(int fd, char **text, size_t *len, struct cm_err *err)
{
	cleanup_free char *buf = NULL;
	struct stat st;
	size_t done = 0;

	if (fstat(fd, &st) < 0)
		return cm_err_set(err, errno, "read");
	if (!S_ISREG(st.st_mode))
		return cm_err_set(err, 0, "not a regular file");
	if (st.st_size > CM_SPEC_FILE_MAX)
		return cm_err_set(err, EFBIG, "read");
	buf = malloc((size_t)st.st_size + 1);
	if (!buf)
		return cm_err_set(err, ENOMEM, "read");
	while (done < (size_t)st.st_size) {
		ssize_t n = read(fd, buf + done, (size_t)st.st_size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cm_err_set(err, errno, "read");
		if (n == 0)
			break;
		done += (size_t)n;
	}
	*text = steal_ptr(&buf);
	*len = done;
	return 0;
}

int cm_spec_load_if(int dirfd, const char *const *words, struct cm_spec **spec, struct cm_err *err)
{
	cleanup_fd int fd = openat(dirfd, "config.json", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup_free char *text = NULL;
	size_t len = 0;
	int r;

	*spec = NULL;
	if (fd < 0)
		return cm_err_set(err, errno, "open 'config.json'");
	r = spec_read(fd, &text, &len, err);
	if (r < 0)
		return cm_err_wrap(err, "config.json");
	while (*words && !memmem(text, len, *words, strlen(*words)))
		words++;
	return *words ? cm_spec_parse(text, len, spec, err) : 0;
}

int cm_spec_load(int dirfd, struct cm_spec **spec, struct cm_err *err)
{
	return cm_spec_load_if(dirfd, (const char *const[]){ "", NULL }, spec, err);
}

/* What a pipe gives until its end. */
static int spec_read_stream(int fd, char **text, size_t *len, struct cm_err *err)
{
	struct cm_buf b;
	ssize_t n;

	cm_buf_init(&b, CM_SPEC_FILE_MAX);
	do {
		char *p = cm_buf_reserve(&b, 4096);

		n = p ? read(fd, p, 4096) : -1;
		if (!p)
			errno = EFBIG;
		b.len += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		cm_err_set(err, errno, "read");
		cm_buf_fini(&b);
		return -err->code;
	}
	*text = b.p;
	*len = b.len;
	return 0;
}

static int spec_read_file(const char *path, char **text, size_t *len, struct cm_err *err)
{
	cleanup_fd int fd = -1;

	if (strcmp(path, "-") == 0)
		return spec_read_stream(STDIN_FILENO, text, len, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? cm_err_set(err, errno, "open '%s'", path) : spec_read(fd, text, len, err);
}

json_t *cm_spec_load_object(const char *path, struct cm_err *err)
{
	cleanup_free char *text = NULL;
	json_error_t jerr;
	size_t len = 0;
	json_t *o;

	if (spec_read_file(path, &text, &len, err) < 0)
		return NULL;
	o = spec_load_json(text, len, &jerr);
	if (o && json_is_object(o))
		return o;
	cm_err_set(err, 0, "'%s': line %d column %d: %s", path, jerr.line, jerr.column,
		o ? "not an object" : jerr.text);
	json_decref(o);
	return NULL;
}

void cm_spec_env_put(json_t *env, json_t *text)
{
	const char *word = json_string_value(text);
	size_t n = (size_t)(strchr(word, '=') - word) + 1;
	const json_t *old;
	size_t i;

	json_array_foreach(env, i, old)
	{
		const char *s = json_string_value(old);

		if (s && strncmp(s, word, n) == 0) {
			json_array_set(env, i, text);
			return;
		}
	}
	json_array_append(env, text);
}

int cm_spec_set_env(struct cm_spec *spec, const char *text, struct cm_err *err)
{
	json_t *process = json_object_get(spec->doc, "process");
	json_t *env = json_object_get(process, "env"), *item = json_string(text);

	if (!env) {
		env = json_array();
		json_object_set_new(process, "env", env);
	}
	cm_spec_env_put(env, item);
	json_decref(item);
	free(spec->env.v);
	spec->env = (struct cm_spec_strv){ 0 };
	return cm_spec_strv(env, "process.env", &spec->env, err);
}

bool cm_spec_mount_is_bind(const struct cm_spec_mount *m)
{
	bool bind = m->type && strcmp(m->type, "bind") == 0;

	for (size_t i = 0; i < m->options.n; i++)
		bind |= strcmp(m->options.v[i], "bind") == 0 ||
			strcmp(m->options.v[i], "rbind") == 0;
	return bind;
}

void cm_spec_destroy(struct cm_spec *spec)
{
	if (!spec)
		return;
	for (size_t i = 0; i < spec->nmounts; i++)
		free(spec->mounts[i].options.v);
	free(spec->mounts);
	free(spec->rlimits);
	free(spec->groups);
	free(spec->args.v);
	free(spec->env.v);
	free(spec->masked_paths.v);
	free(spec->readonly_paths.v);
	cm_spec_destroy_host(spec);
	cm_spec_destroy_linux(spec);
	json_decref(spec->doc);
	free(spec);
}
