// SPDX-License-Identifier: Apache-2.0
// As task_cpus.c, but the first thing that asks for a second processor is a thread that is bound to it.
#define BOUND_FIRST
#include "task_cpus.c"
