/* SPDX-License-Identifier: Apache-2.0 */
/* The boot order, as one readable list. */
void kmain(void);

void kmain(void)
{
}
