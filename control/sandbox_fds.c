/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that a process of the guest gets besides the standard ones: each is a stream of its own between a descriptor of the host and the number
 * that the process knows it by (docs/RPC.md: what a passed descriptor becomes).
 */
#include <config.h>
#include "control/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "control/rpc_start.h"

int sandbox_donate(struct sandbox *s, struct sandbox_proc *p, int fd, uint32_t number,
	struct cm_rpc_fd *out, struct cm_err *err)
{
	int mode = cm_relay_mode(fd, err);

	if (mode < 0) {
		close(fd);
		return cm_err_wrap(err, "descriptor %u", number);
	}
	out->fd = number;
	out->flags = (uint32_t)mode;
	if (sandbox_stream(s, CM_RPC_STREAM_FD, mode == O_WRONLY ? -1 : fd,
		    mode == O_RDONLY ? -1 : fd, true, &out->token, err) < 0)
		return -err->code;
	p->more[p->nmore++] = out->token;
	return 0;
}

int sandbox_check_numbers(const json_t *list, size_t given, unsigned from, struct cm_err *err)
{
	size_t n = json_array_size(list);

	if (list && !json_is_null(list) && !json_is_array(list))
		return cm_err_set(err, 0, "donated_fds: not a list");
	if (given != n)
		return cm_err_set(err, 0,
			"files and donated_fds must have same number of elements (%zu != %zu)",
			given, n);
	if (n > CM_RPC_FDS_MAX)
		return cm_err_set(err, 0, "donated_fds: at most %u", CM_RPC_FDS_MAX);
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_array_get(list, i);
		json_int_t number = json_is_integer(v) ? json_integer_value(v) : -1;

		if (number < (json_int_t)from || number >= CM_RPC_FD_NUMBERS)
			return cm_err_set(err, 0, "donated_fds: no number from %u to %u", from,
				CM_RPC_FD_NUMBERS - 1);
		for (size_t k = 0; k < i; k++) {
			if (json_equal(json_array_get(list, k), v))
				return cm_err_set(err, 0, "donated_fds: %lld is there twice",
					(long long)number);
		}
	}
	return 0;
}

int sandbox_donate_list(struct sandbox *s, struct sandbox_proc *p, int *fds, const json_t *list,
	struct cm_rpc_fd out[CM_RPC_FDS_MAX], struct cm_rpc_start_options *so, struct cm_err *err)
{
	so->fds = out;
	for (size_t i = 0; i < json_array_size(list); i++) {
		int fd = fds[i];

		fds[i] = -1;
		if (sandbox_donate(s, p, fd, (uint32_t)json_integer_value(json_array_get(list, i)),
			    &out[so->nfds++], err) < 0)
			return -err->code;
	}
	return 0;
}
