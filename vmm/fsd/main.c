/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-fsd: entry point. */
#include <config.h>

int main(void)
{
	return 1;
}
