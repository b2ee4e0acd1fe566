/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/cpuinfo from CPUID, asked once: it traps. */
#include "fs/internal.h"
#include "fs/proc/proc.h"

#include "arch/x86_64/cpu.h"
#include "lib/fdt_read.h"
#include "kernel/main.h"
#include "kernel/sched.h"

static struct {
	struct cpuid_regs vendor, basic, ext, ext7;
	char brand[49];
	bool ready;
} cpu;

static const char *const flags_1d[32] = { "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce",
	"cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov", "pat", "pse36", "pn", "clflush",
	NULL, "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe" };
static const char *const flags_1c[32] = { "pni", "pclmulqdq", "dtes64", "monitor", "ds_cpl", "vmx",
	"smx", "est", "tm2", "ssse3", "cid", "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid",
	"dca", "sse4_1", "sse4_2", "x2apic", "movbe", "popcnt", "tsc_deadline_timer", "aes",
	"xsave", NULL, "avx", "f16c", "rdrand", "hypervisor" };
static const char *const flags_ext_d[32] = { [11] = "syscall",
	[20] = "nx",
	[22] = "mmxext",
	[25] = "fxsr_opt",
	[26] = "pdpe1gb",
	[27] = "rdtscp",
	[29] = "lm" };
static const char *const flags_ext_c[32] = {
	[0] = "lahf_lm", [5] = "abm", [6] = "sse4a", [8] = "3dnowprefetch"
};
static const char *const flags_7b[32] = { [0] = "fsgsbase",
	[3] = "bmi1",
	[5] = "avx2",
	[7] = "smep",
	[8] = "bmi2",
	[9] = "erms",
	[18] = "rdseed",
	[19] = "adx",
	[20] = "smap",
	[23] = "clflushopt",
	[24] = "clwb",
	[29] = "sha_ni" };

static void cpu_read(void)
{
	if (cpu.ready)
		return;
	cpu.vendor = cpu_cpuid(0, 0);
	cpu.basic = cpu_cpuid(1, 0);
	cpu.ext = cpu_cpuid(0x80000001, 0);
	if (cpu.vendor.eax >= 7)
		cpu.ext7 = cpu_cpuid(7, 0);
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = cpu_cpuid(0x80000002 + i, 0);

		memcpy(cpu.brand + i * 16, &r, 16);
	}
	cpu.ready = true;
}

static void put_flags(struct proc_buf *b, const char *const *names, u32 bits)
{
	for (u32 i = 0; i < 32; i++) {
		if (names[i] && (bits >> i & 1))
			proc_printf(b, " %s", names[i]);
	}
}

static void put_cpu(struct proc_buf *b, u32 i, u32 khz)
{
	u32 sig = cpu.basic.eax, family = sig >> 8 & 15, model = sig >> 4 & 15;
	char vendor[13];

	memcpy(vendor, &cpu.vendor.ebx, 4);
	memcpy(vendor + 4, &cpu.vendor.edx, 4);
	memcpy(vendor + 8, &cpu.vendor.ecx, 4);
	vendor[12] = 0;
	if (family == 15)
		family += sig >> 20 & 255;
	if (family >= 6)
		model |= sig >> 12 & 0xf0;
	proc_printf(b, "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", i,
		vendor, family, model);
	proc_printf(b,
		"model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %u.%03u\ncache size\t: 4096 KB\n",
		cpu.brand, sig & 15, khz / 1000, khz % 1000);
	proc_printf(b, "physical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\n",
		cpu_count(), i, cpu_count());
	proc_printf(b,
		"apicid\t\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
		i, cpu.vendor.eax);
	put_flags(b, flags_1d, cpu.basic.edx);
	put_flags(b, flags_ext_d, cpu.ext.edx);
	put_flags(b, flags_1c, cpu.basic.ecx);
	put_flags(b, flags_ext_c, cpu.ext.ecx);
	put_flags(b, flags_7b, cpu.ext7.ebx);
	proc_printf(b, "\nbogomips\t: %u.%02u\nclflush size\t: 64\ncache_alignment\t: 64\n",
		khz / 500, khz / 5 % 100);
	proc_printf(b, "address sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n");
}

int proc_cpuinfo(struct proc_buf *b, struct proc_ctx *c)
{
	const struct fdt_reader *r = main_fdt();
	u32 khz = 0;

	(void)c;
	cpu_read();
	fdt_read_u32(r, fdt_read_path(r, "/chosen"), "casemate,tsc-khz", &khz);
	for (u32 i = 0; i < cpu_count(); i++)
		put_cpu(b, i, khz);
	return 0;
}
