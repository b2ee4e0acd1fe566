/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel that does what its command line says, for tests/kvm/kvmtest.sh: each case ends with exit code 0 when the machine behaved. */
#define KVMTEST_START
#define KVMTEST_PC
#include "kvmtest.h"

#define LAPIC	   0xfee00000u
#define IOAPIC	   0xfec00000u
#define VIRTIO	   0xfeb00000u
#define VECTOR	   0x40
#define COM1_IRQ   4
#define PIT_GSI	   2
#define QUEUE	   4
#define DESC_NEXT  1
#define DESC_WRITE 2
#define DRIVER_OK  0xf
#define BLK_SECTOR 512
#define UNIT	   0xfed90000u /* VT-d */
#define EDU_CONFIG 0x80001000u
#define EDU_LINE   11

static int starts(const char *s, const char *word)
{
	while (*word && *s == *word) {
		s++;
		word++;
	}
	return *word == '\0';
}

static kt_u32 read32(kt_u64 addr)
{
	return *(volatile kt_u32 *)addr;
}

static void write32(kt_u64 addr, kt_u32 v)
{
	*(volatile kt_u32 *)addr = v;
}

static kt_u32 number(const char *s)
{
	kt_u32 v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (kt_u32)(*s - '0');
	return v;
}

/* ---- interrupts: one vector that counts */

static volatile unsigned interrupts;
static kt_u64 edu; /* registers; its interrupt is taken back at the third */
static kt_u64 idt[256][2] __attribute__((aligned(16)));

void on_interrupt(void);
void __attribute__((used)) on_interrupt(void)
{
	if (++interrupts == 3 && edu)
		write32(edu + 0x64, ~0u);
	write32(LAPIC + 0xb0, 0);
}

__asm__(".text\n"
	"interrupt_entry:\n"
	"	push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %r11\n"
	"	sub $8, %rsp\n"
	"	call on_interrupt\n"
	"	add $8, %rsp\n"
	"	pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax\n"
	"	iretq\n");
extern char interrupt_entry[];

static void interrupts_on(unsigned gsi)
{
	kt_u64 entry = (kt_u64)interrupt_entry;
	struct {
		kt_u16 limit;
		kt_u64 base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (kt_u64)idt };

	idt[VECTOR][0] =
		(entry & 0xffff) | 8ull << 16 | 0x8e00ull << 32 | (entry >> 16 & 0xffff) << 48;
	idt[VECTOR][1] = entry >> 32;
	__asm__ volatile("lidt %0" : : "m"(idtr));
	kt_outb(0x21, 0xff);
	kt_outb(0xa1, 0xff);
	write32(LAPIC + 0xf0, 0x1ff);
	write32(IOAPIC, 0x10 + 2 * gsi);
	write32(IOAPIC + 0x10, VECTOR);
	write32(IOAPIC, 0x11 + 2 * gsi);
	write32(IOAPIC + 0x10, 0);
	__asm__ volatile("sti");
}

static unsigned wait_for_interrupts(unsigned n)
{
	unsigned long spins;

	for (spins = 0; spins < 20000000 && interrupts < n; spins++)
		__asm__ volatile("pause");
	return interrupts >= n ? KT_PASS : KT_FAIL;
}

static unsigned pit(void)
{
	interrupts_on(PIT_GSI);
	kt_outb(0x43, 0x34);
	kt_outb(0x40, 0x00);
	kt_outb(0x40, 0x10);
	return wait_for_interrupts(3);
}

/* COM1 says that it can transmit, then that a byte came. */
static unsigned com1_interrupt(void)
{
	interrupts_on(COM1_IRQ);
	kt_outb(KT_PORT_COM1 + 1, 2);
	if (wait_for_interrupts(1) != KT_PASS || (kt_inb(KT_PORT_COM1 + 2) & 0xf) != 2)
		return 2;
	kt_outb(KT_PORT_COM1 + 1, 1);
	if (wait_for_interrupts(2) != KT_PASS)
		return 3;
	return kt_inb(KT_PORT_COM1) == 'x' ? KT_PASS : 4;
}

/* ---- ports */

static unsigned echo(void)
{
	int c;

	do {
		while ((c = kt_getc()) < 0)
			__asm__ volatile("pause");
		kt_outb(KT_PORT_COM1, (kt_u8)c);
	} while (c != '\n');
	return KT_PASS;
}

static kt_u8 cmos(kt_u8 index)
{
	kt_outb(0x70, index);
	return kt_inb(0x71);
}

static unsigned ports(void)
{
	kt_u32 cpus, i;
	kt_u8 century = cmos(0x32);

	__asm__ volatile("outw %w0, %w1" : : "a"(5), "d"(0x510));
	cpus = kt_inb(0x511);
	cpus |= (kt_u32)kt_inb(0x511) << 8;
	kt_outl(0xe0, 0x11223344);
	for (i = 0; i < 4; i++) {
		if (kt_inb((kt_u16)(0xe0 + i)) != 0x44 - 0x11 * i)
			return 2;
	}
	if (century < 0x20 || century > 0x21 || cmos(8) == 0 || cmos(8) > 0x12)
		return 3;
	write32(0xff000100, 0x12345678);
	if (read32(0xff000100) != 0x12345678)
		return 4;
	if (kt_inb(0xe9) != 0xe9 || kt_inb(0x1234) != 0xff)
		return 5;
	/* Blocks that lie nowhere, or that never end, change nothing. */
	{
		static volatile struct kt_block bad = { 0xfffffffffffffff0ull, 0xffffffff };

		kt_outl(0xec, (kt_u32)(kt_u64)&bad);
		kt_outl(0xec, 0xfffffff8);
	}
	kt_outb(0xe9, 'E');
	kt_outb(0xe9, '\n');
	return cpus == 2 ? KT_PASS : 6;
}

/* ---- virtio: one request on queue 0, polled */

struct descriptor {
	kt_u64 addr;
	kt_u32 len;
	kt_u16 flags, next;
};

static struct descriptor desc[QUEUE] __attribute__((aligned(16)));
static volatile kt_u16 avail[2 + QUEUE + 1] __attribute__((aligned(4)));
static volatile kt_u16 used[2 + 4 * QUEUE + 1] __attribute__((aligned(4)));
static char buffer[BLK_SECTOR] __attribute__((aligned(512)));

/* Base of the device with this id, 0 without one. */
static kt_u64 virtio_find(kt_u32 id)
{
	kt_u64 base;

	for (base = VIRTIO; base < VIRTIO + 8 * 0x1000; base += 0x1000) {
		if (read32(base) == 0x74726976 && read32(base + 8) == id)
			return base;
	}
	return 0;
}

static int virtio_start(kt_u64 base)
{
	write32(base + 0x70, 0);
	write32(base + 0x70, 1);
	write32(base + 0x70, 3);
	write32(base + 0x24, 1);
	write32(base + 0x20, 1); /* VERSION_1 */
	write32(base + 0x70, 0xb);
	write32(base + 0x30, 0);
	write32(base + 0x38, QUEUE);
	write32(base + 0x80, (kt_u32)(kt_u64)desc);
	write32(base + 0x90, (kt_u32)(kt_u64)avail);
	write32(base + 0xa0, (kt_u32)(kt_u64)used);
	write32(base + 0x84, 0);
	write32(base + 0x94, 0);
	write32(base + 0xa4, 0);
	write32(base + 0x44, 1);
	write32(base + 0x70, DRIVER_OK);
	return read32(base + 0x70) == DRIVER_OK;
}

static int virtio_request(kt_u64 base)
{
	unsigned long spins;

	avail[2] = 0;
	avail[1] = 1;
	write32(base + 0x50, 0);
	for (spins = 0; spins < 20000000 && used[1] == 0; spins++)
		__asm__ volatile("pause");
	return used[1] == 1;
}

/* It works, and the guest has the address 3. */
static unsigned vsock(void)
{
	kt_u64 base = virtio_find(19);

	return base && virtio_start(base) && read32(base + 0x100) == 3 ? KT_PASS : 2;
}

static unsigned rng(void)
{
	kt_u64 base = virtio_find(4);
	unsigned i, sum = 0;

	if (!base || !virtio_start(base))
		return 2;
	desc[0] = (struct descriptor){ (kt_u64)buffer, 64, DESC_WRITE, 0 };
	if (!virtio_request(base))
		return 3;
	for (i = 0; i < 64; i++)
		sum += buffer[i] != 0;
	return sum > 32 ? KT_PASS : 4;
}

/* Sector 1 of the disk begins with "second". */
static unsigned blk(void)
{
	static struct {
		kt_u32 type, reserved;
		kt_u64 sector;
	} head = { 0, 0, 1 };
	static volatile char status = 9;
	kt_u64 base = virtio_find(2);

	if (!base || !virtio_start(base))
		return 2;
	desc[0] = (struct descriptor){ (kt_u64)&head, sizeof(head), DESC_NEXT, 1 };
	desc[1] = (struct descriptor){ (kt_u64)buffer, BLK_SECTOR, DESC_NEXT | DESC_WRITE, 2 };
	desc[2] = (struct descriptor){ (kt_u64)&status, 1, DESC_WRITE, 0 };
	if (!virtio_request(base) || status != 0)
		return 3;
	return starts(buffer, "second") ? KT_PASS : 4;
}

/* ---- PCI: the edu device, with and without the remapping unit */

static kt_u32 pci_read(kt_u32 at)
{
	kt_u32 v;

	kt_outl(0xcf8, EDU_CONFIG | at);
	__asm__ volatile("inl %w1, %0" : "=a"(v) : "d"(0xcfc) : "memory");
	return v;
}

static void pci_write(kt_u32 at, kt_u32 v)
{
	kt_outl(0xcf8, EDU_CONFIG | at);
	kt_outl(0xcfc, v);
}

static int edu_find(void)
{
	if (pci_read(0) != 0x11e81234)
		return 0;
	pci_write(4, 6);
	edu = pci_read(0x10) & ~0xfull;
	write32(edu + 4, 5);
	return read32(edu + 4) == ~5u;
}

static void edu_dma(kt_u32 from, kt_u32 to, kt_u32 command)
{
	write32(edu + 0x80, from);
	write32(edu + 0x88, to);
	write32(edu + 0x90, 8);
	write32(edu + 0x98, command);
}

/* Its line, then its message. */
static unsigned edu_alone(void)
{
	if (!edu_find())
		return 2;
	interrupts_on(EDU_LINE);
	write32(edu + 0x60, 1);
	if (wait_for_interrupts(1) != KT_PASS)
		return 3;
	write32(edu + 0x64, 1);
	pci_write(0x44, LAPIC);
	pci_write(0x4c, VECTOR);
	pci_write(0x40, 1u << 16);
	write32(edu + 0x60, 1);
	if (wait_for_interrupts(2) != KT_PASS)
		return 4;
	write32(edu + 0x60, 0);
	return wait_for_interrupts(3);
}

static volatile kt_u64 table[6][512]
	__attribute__((aligned(4096))); /* root, context, three levels, interrupts */

static void unit_command(kt_u32 bit)
{
	write32(UNIT + 0x18, (read32(UNIT + 0x1c) & ~0x41000000u) | bit);
}

/* A page that the device may read: reading works, writing is refused and on record. */
static unsigned iommu_dma(void)
{
	volatile kt_u64 *word = (volatile kt_u64 *)(kt_u64)buffer;

	table[0][0] = (kt_u64)table[1] | 1;
	table[1][2 * 0x10] = (kt_u64)table[2] | 1;
	table[1][2 * 0x10 + 1] = 1;
	table[2][0] = (kt_u64)table[3] | 3;
	table[3][0] = (kt_u64)table[4] | 3;
	table[4][7] = ((kt_u64)buffer & ~0xfffull) | 1;
	write32(UNIT + 0x20, (kt_u32)(kt_u64)table[0]);
	unit_command(0x40000000);
	unit_command(0x80000000);
	word[0] = 0x1122334455667788;
	edu_dma(0x7000 + ((kt_u32)(kt_u64)buffer & 0xfff), 0x40000, 1);
	edu_dma(0x40000, 0x7000 + ((kt_u32)(kt_u64)buffer & 0xfff) + 8, 3);
	if (word[1] != 0 || read32(UNIT + 0x34) != 2 || (read32(UNIT + 0x20c) & 0xff) != 5)
		return 3;
	write32(UNIT + 0x20c, 0x80000000);
	table[4][7] |= 2;
	edu_dma(0x40000, 0x7000 + ((kt_u32)(kt_u64)buffer & 0xfff) + 8, 3);
	return word[1] == word[0] && read32(UNIT + 0x34) == 0 ? KT_PASS : 4;
}

/* A level-triggered input through an entry: it comes again until the device takes it back. Then a message in the old format, which is blocked. */
static unsigned iommu(void)
{
	unsigned r = edu_find() && read32(UNIT) == 0x10 ? iommu_dma() : 2, seen, spins;

	if (r != KT_PASS)
		return r;
	table[5][2] = VECTOR << 16 | 1 << 4 | 1;
	write32(UNIT + 0xb8, (kt_u32)(kt_u64)table[5]);
	unit_command(0x01000000);
	interrupts_on(EDU_LINE);
	unit_command(0x02000000);
	write32(IOAPIC, 0x11 + 2 * EDU_LINE);
	write32(IOAPIC + 0x10, 1 << 17 | 1 << 16);
	write32(IOAPIC, 0x10 + 2 * EDU_LINE);
	write32(IOAPIC + 0x10, 0x8000 | VECTOR);
	write32(edu + 0x60, 1);
	if (wait_for_interrupts(3) != KT_PASS)
		return 5;
	/* The software KVM may report an end twice, and late: then the line, which was high still, brings one more. */
	do {
		seen = interrupts;
		for (spins = 0; spins < 5000; spins++)
			__asm__ volatile("pause");
	} while (interrupts != seen);
	pci_write(0x44, LAPIC);
	pci_write(0x4c, VECTOR);
	pci_write(0x40, 1u << 16);
	write32(edu + 0x60, 1);
	if (interrupts != seen || read32(UNIT + 0x34) != 0x102 ||
		(read32(UNIT + 0x21c) & 0xff) != 0x25)
		return 6;
	pci_write(0x44, LAPIC | 1 << 5 | 0x10);
	write32(edu + 0x60, 1);
	return wait_for_interrupts(seen + 1);
}

static unsigned fault(void)
{
	struct {
		kt_u16 limit;
		kt_u64 base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; movq $0x5ca1ab1e, %%rbx; ud2" : : "m"(none));
	return KT_FAIL;
}

static unsigned poweroff(kt_u16 value)
{
	__asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(0x604));
	return KT_FAIL;
}

unsigned kt_main(const char *args)
{
	if (starts(args, "exit "))
		return number(args + 5);
	if (starts(args, "say ")) {
		kt_puts(args + 4);
		kt_puts("\n");
		for (;;)
			__asm__ volatile("cli; hlt");
	}
	if (starts(args, "spin"))
		for (;;)
			__asm__ volatile("pause");
	if (starts(args, "fault"))
		return fault();
	if (starts(args, "poweroff"))
		return poweroff(0x2000);
	if (starts(args, "reset"))
		kt_outb(0x64, 0xfe);
	if (starts(args, "echo"))
		return echo();
	if (starts(args, "ports"))
		return ports();
	if (starts(args, "pit"))
		return pit();
	if (starts(args, "com1"))
		return com1_interrupt();
	if (starts(args, "rng"))
		return rng();
	if (starts(args, "vsock"))
		return vsock();
	if (starts(args, "blk"))
		return blk();
	if (starts(args, "edu"))
		return edu_alone();
	if (starts(args, "iommu"))
		return iommu();
	return KT_FAIL;
}
