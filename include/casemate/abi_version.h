/* SPDX-License-Identifier: Apache-2.0 */
/* The one number that guest and VMM must agree on; bump it on any change under include/casemate. */
#ifndef CASEMATE_ABI_VERSION_H
#define CASEMATE_ABI_VERSION_H

#define CM_ABI_VERSION 13

#endif
