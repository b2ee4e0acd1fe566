/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI 1.0 tables, multiboot information, PVH start information. Offsets within the area are fixed; what has a variable length comes last. */
#include <config.h>
#include "vmm/pc/firmware.h"

#include <string.h>

#include <casemate/pcmachine.h>

#include "vmm/pc/iommu.h"

#define AT_RSDP	   0x000u
#define AT_RSDT	   0x040u
#define AT_FADT	   0x100u
#define AT_DSDT	   0x280u
#define AT_DMAR	   0x300u
#define AT_MADT	   0x400u
#define AT_MMAP	   0x10300u
#define AT_PVH_MAP 0x10400u
#define AT_MODULE  0x10500u
#define AT_NAME	   0x10600u /* name of the loader */
#define AT_CMDLINE 0x11000u

#define SCI_IRQ	 9
#define GIB4	 (4ULL << 30)
#define BASE_END 0x9fc00u /* conventional memory */
#define MAP_RAM	 1u
#define MAP_KEPT 2u

_Static_assert(CM_PC_FIRMWARE + AT_CMDLINE + PC_CMDLINE_MAX <= CM_PC_FIRMWARE_END, "area is full");
_Static_assert(AT_MADT + 44 + PC_APICS_MAX * 8 + 12 + 10 * 5 < 0x10000, "MADT below the GDT");

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header h;
	uint32_t facs, dsdt;
	uint8_t model, pad0;
	uint16_t sci;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios, pad1;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base,
		pad2;
	uint16_t lvl2, lvl3, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint8_t pad3[3];
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct acpi_fadt) == 116, "ACPI 1.0");

static void *fw_at(uint8_t *ram, uint32_t off)
{
	return ram + CM_PC_FIRMWARE + off;
}

static uint32_t fw_gpa(uint32_t off)
{
	return (uint32_t)CM_PC_FIRMWARE + off;
}

static uint8_t fw_checksum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (len-- > 0)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

/* Finish a table whose header and body stand at h. */
static void fw_table(struct acpi_header *h, const char *signature, size_t len)
{
	memcpy(h->signature, signature, 4);
	h->length = (uint32_t)len;
	h->revision = 1;
	memcpy(h->oem, "CASEMT", 6);
	memcpy(h->oem_table, "KVMTEST ", 8);
	h->oem_revision = 1;
	memcpy(h->creator, "CMTE", 4);
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = fw_checksum(h, len);
}

static void fw_fadt(uint8_t *ram)
{
	struct acpi_fadt *f = fw_at(ram, AT_FADT);

	f->facs = (uint32_t)PC_FACS;
	f->dsdt = fw_gpa(AT_DSDT);
	f->sci = SCI_IRQ;
	f->pm1a_evt = CM_PC_PM_EVENT;
	f->pm1a_cnt = CM_PC_PM_CONTROL;
	f->pm_tmr = CM_PC_PM_TIMER;
	f->pm1_evt_len = 4;
	f->pm1_cnt_len = 2;
	f->pm_tmr_len = 4;
	f->lvl2 = f->lvl3 = 0xfff; /* no such states */
	f->century = 0x32;
	f->flags =
		0xa5; /* WBINVD works, C1, no power button, timer of 24 bits is off: RTC wakes from S3 */
	fw_table(&f->h, "FACP", sizeof(*f));
}

/* Sleep types of S3 and S5, all that the DSDT says. */
static void fw_dsdt(uint8_t *ram)
{
	static const uint8_t aml[] = { 0x08, '_', 'S', '3', '_', 0x12, 0x06, 0x04, 0x01, 0x01, 0x00,
		0x00, 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00 };
	struct acpi_header *h = fw_at(ram, AT_DSDT);

	memcpy(h + 1, aml, sizeof(aml));
	fw_table(h, "DSDT", sizeof(*h) + sizeof(aml));
}

static void fw_put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void fw_madt(uint8_t *ram, unsigned cpus)
{
	/* Interrupts of the PIC that do not arrive at the input of their number, or not as edges. */
	static const uint8_t override[][2] = { { 0, 2 }, { SCI_IRQ, SCI_IRQ } };
	struct acpi_header *h = fw_at(ram, AT_MADT);
	uint8_t *p = (uint8_t *)(h + 1);
	unsigned i;

	fw_put32(p, PC_LAPIC_BASE);
	fw_put32(p + 4, 1); /* there is a PIC too */
	p += 8;
	for (i = 0; i < cpus && i < PC_APICS_MAX; i++, p += 8) {
		p[0] = 0;
		p[1] = 8;
		p[2] = p[3] = (uint8_t)i;
		fw_put32(p + 4, 1);
	}
	p[0] = 1;
	p[1] = 12;
	p[2] = 0; /* id */
	fw_put32(p + 4, PC_IOAPIC_BASE);
	p += 12;
	for (i = 0; i < sizeof(override) / sizeof(override[0]); i++, p += 10) {
		p[0] = 2;
		p[1] = 10;
		p[3] = override[i][0];
		fw_put32(p + 4, override[i][1]);
		p[8] = override[i][0] == SCI_IRQ ? 0xd : 0; /* level, active high */
	}
	fw_table(h, "APIC", (size_t)(p - (uint8_t *)h));
}

/* One unit for all of PCI, with interrupt remapping. The I/O APIC stands on a bus of its own. */
static void fw_dmar(uint8_t *ram)
{
	static const uint8_t body[] = { VTD_ADDR_BITS - 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* DRHD: type, length, all devices of segment 0, base */
		0, 0, 24, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		/* I/O APIC 0: bus 0xff, device 0, function 0 */
		3, 8, 0, 0, 0, 0xff, 0, 0 };
	struct acpi_header *h = fw_at(ram, AT_DMAR);
	uint64_t base = PC_IOMMU_BASE;

	memcpy(h + 1, body, sizeof(body));
	memcpy((uint8_t *)(h + 1) + 20, &base, sizeof(base));
	fw_table(h, "DMAR", sizeof(*h) + sizeof(body));
}

static void fw_acpi(uint8_t *ram, const struct pc_firmware *f)
{
	struct acpi_rsdp *rsdp = fw_at(ram, AT_RSDP);
	struct acpi_header *rsdt = fw_at(ram, AT_RSDT);
	uint8_t *facs = ram + PC_FACS;

	memcpy(facs, "FACS", 4);
	fw_put32(facs + 4, 64);
	fw_fadt(ram);
	fw_dsdt(ram);
	fw_madt(ram, f->cpus);
	if (f->iommu)
		fw_dmar(ram);
	fw_put32((uint8_t *)(rsdt + 1), fw_gpa(AT_FADT));
	fw_put32((uint8_t *)(rsdt + 1) + 4, fw_gpa(AT_MADT));
	fw_put32((uint8_t *)(rsdt + 1) + 8, fw_gpa(AT_DMAR));
	fw_table(rsdt, "RSDT", sizeof(*rsdt) + (f->iommu ? 12 : 8));
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem, "CASEMT", 6);
	rsdp->rsdt = fw_gpa(AT_RSDT);
	rsdp->checksum = fw_checksum(rsdp, sizeof(*rsdp));
}

/* ---- boot protocols */

struct fw_range {
	uint64_t base, len;
	uint32_t type;
};

static unsigned fw_map(const struct pc_firmware *f, struct fw_range *r)
{
	unsigned n = 0;

	r[n++] = (struct fw_range){ 0, BASE_END, MAP_RAM };
	r[n++] = (struct fw_range){ CM_PC_FIRMWARE, CM_PC_FIRMWARE_END - CM_PC_FIRMWARE, MAP_KEPT };
	if (f->low > CM_PC_FIRMWARE_END)
		r[n++] = (struct fw_range){ CM_PC_FIRMWARE_END, f->low - CM_PC_FIRMWARE_END,
			MAP_RAM };
	if (f->high)
		r[n++] = (struct fw_range){ GIB4, f->high, MAP_RAM };
	return n;
}

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr, drives[2], config_table, loader_name;
};

struct multiboot_range {
	uint32_t size; /* of the rest */
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

struct multiboot_module {
	uint32_t start, end, cmdline, pad;
};

static void fw_multiboot(uint8_t *ram, const struct pc_firmware *f)
{
	struct multiboot_info *mbi = (void *)(ram + PC_MULTIBOOT);
	struct multiboot_range *out = fw_at(ram, AT_MMAP);
	struct multiboot_module *mod = fw_at(ram, AT_MODULE);
	struct fw_range map[4];
	unsigned n = fw_map(f, map), i;

	for (i = 0; i < n; i++)
		out[i] = (struct multiboot_range){ sizeof(*out) - 4, map[i].base, map[i].len,
			map[i].type };
	memcpy(fw_at(ram, AT_NAME), "casemate", sizeof("casemate"));
	*mbi = (struct multiboot_info){
		.flags = 0x1 | 0x4 | 0x40 | 0x200, /* memory, command line, map, loader */
		.mem_lower = BASE_END >> 10,
		.mem_upper = (uint32_t)((f->low - CM_PC_FIRMWARE_END) >> 10),
		.cmdline = fw_gpa(AT_CMDLINE),
		.mmap_length = n * (uint32_t)sizeof(*out),
		.mmap_addr = fw_gpa(AT_MMAP),
		.loader_name = fw_gpa(AT_NAME),
	};
	if (f->module == f->module_end)
		return;
	*mod = (struct multiboot_module){ f->module, f->module_end, fw_gpa(AT_CMDLINE), 0 };
	mbi->flags |= 0x8;
	mbi->mods_count = 1;
	mbi->mods_addr = fw_gpa(AT_MODULE);
}

struct pvh_start {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct pvh_range {
	uint64_t base, len;
	uint32_t type, reserved;
};

struct pvh_module {
	uint64_t base, len, cmdline, reserved;
};

static void fw_pvh(uint8_t *ram, const struct pc_firmware *f)
{
	struct pvh_start *s = (void *)(ram + PC_PVH);
	struct pvh_range *out = fw_at(ram, AT_PVH_MAP);
	/* Behind the multiboot module; both protocols' data may stand side by side. */
	struct pvh_module *mod = fw_at(ram, AT_MODULE + 0x40);
	struct fw_range map[4];
	unsigned n = fw_map(f, map), i;

	for (i = 0; i < n; i++)
		out[i] = (struct pvh_range){ map[i].base, map[i].len, map[i].type, 0 };
	*s = (struct pvh_start){
		.magic = 0x336ec578,
		.version = 1,
		.cmdline = fw_gpa(AT_CMDLINE),
		.rsdp = fw_gpa(AT_RSDP),
		.memmap = fw_gpa(AT_PVH_MAP),
		.memmap_entries = n,
	};
	if (f->module == f->module_end)
		return;
	*mod = (struct pvh_module){ f->module, f->module_end - f->module, 0, 0 };
	s->nr_modules = 1;
	s->modlist = fw_gpa(AT_MODULE + 0x40);
}

void pc_firmware_write(uint8_t *ram, const struct pc_firmware *f)
{
	static const uint64_t gdt[PC_GDT_ENTRIES] = { 0, 0, 0x00cf9b000000ffff,
		0x00cf93000000ffff };

	memcpy(ram + PC_GDT, gdt, sizeof(gdt));
	memcpy(fw_at(ram, AT_CMDLINE), f->cmdline, strlen(f->cmdline) + 1);
	fw_acpi(ram, f);
	fw_multiboot(ram, f);
	fw_pvh(ram, f);
}
