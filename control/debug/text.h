/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the guest as text that a terminal can show: printable ASCII, everything else as \xNN, a backslash doubled. */
#ifndef CM_DEBUG_TEXT_H
#define CM_DEBUG_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The bytes of src up to a NUL or len. buf (size > 0) always ends in NUL; what does not fit is cut. Returns buf. */
const char *text_escape(char *buf, size_t size, const char *src, size_t len);

/* The same for text that the sentry has escaped already: backslashes stay as they are. */
const char *text_printable(char *buf, size_t size, const char *src, size_t len);

/* Name of a KVM exit reason; buf for one without. */
const char *exit_name(uint32_t reason, char *buf, size_t size);

#endif
