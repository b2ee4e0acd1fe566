/* SPDX-License-Identifier: Apache-2.0 */
/* A container's place in a pod. */
#include <config.h>
#include "control/pod.h"

#include <stddef.h>
#include <string.h>
#include "control/parse.h"

static const struct {
	const char *type, *sandbox;
} pod_words[] = {
	{ CM_POD_WORD ".container-type", CM_POD_WORD ".sandbox-id" },
	{ CM_POD_WORD "-o.ContainerType", CM_POD_WORD "-o.SandboxID" },
};

int cm_pod_role(
	const json_t *annotations, enum cm_pod_role *role, const char **sandbox, struct cm_err *err)
{
	*role = CM_POD_NONE;
	*sandbox = NULL;
	for (size_t i = 0; i < sizeof(pod_words) / sizeof(pod_words[0]); i++) {
		const char *type =
			json_string_value(json_object_get(annotations, pod_words[i].type));

		if (!type)
			continue;
		if (strcmp(type, "sandbox") == 0) {
			*role = CM_POD_SANDBOX;
			return 0;
		}
		if (strcmp(type, "container") != 0)
			return cm_err_set(err, 0,
				"annotations.%s: '%s' is neither sandbox nor container",
				pod_words[i].type, type);
		*sandbox = json_string_value(json_object_get(annotations, pod_words[i].sandbox));
		if (!*sandbox)
			return cm_err_set(
				err, 0, "annotations.%s is missing", pod_words[i].sandbox);
		*role = CM_POD_CONTAINER;
		return cm_id_check(*sandbox, err) < 0
			       ? cm_err_wrap(err, "annotations.%s", pod_words[i].sandbox)
			       : 0;
	}
	return 0;
}
