/* SPDX-License-Identifier: Apache-2.0 */
/* casemate-vmm: reads its inherited descriptors and configuration, runs the stages, nothing else. */
#include <config.h>

int main(void)
{
	return 1;
}
