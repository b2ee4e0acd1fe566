/* SPDX-License-Identifier: Apache-2.0 */
/* Port devices: each a few lines. One lock serves all, for none of them is ever busy. */
#include <config.h>
#include "vmm/pc/ports.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "vmm/pc/pc.h"

/* Little-endian value of an access. */
static uint32_t port_value(const void *data, unsigned len)
{
	uint32_t v = 0;

	memcpy(&v, data, len < sizeof(v) ? len : sizeof(v));
	return v;
}

static void port_give(void *data, unsigned len, uint32_t v)
{
	memcpy(data, &v, len < sizeof(v) ? len : sizeof(v));
}

/* ---- ends */

static void exit_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	pc_end(p->pc, CM_PC_END_EXIT, port_value(data, len), "exit port");
}
static const struct bus_ops exit_ops = { .write = exit_write };

static void bochs_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	static const char word[] = "Shutdown";
	struct pc_ports *p = dev;
	bool all;

	pthread_mutex_lock(&p->lock);
	if (*(const char *)data == word[p->off_chars])
		p->off_chars++;
	else
		p->off_chars = *(const char *)data == word[0];
	all = word[p->off_chars] == '\0';
	pthread_mutex_unlock(&p->lock);
	if (all)
		pc_end(p->pc, CM_PC_END_SHUTDOWN, 0, "power off by port %#x", CM_PC_BOCHS_OFF);
}
static const struct bus_ops bochs_ops = { .write = bochs_write };

static void reset_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	if (*(const uint8_t *)data & 4)
		pc_end(p->pc, CM_PC_END_RESET, 0, "reset by port %#x", CM_PC_RESET);
}
static const struct bus_ops reset_ops = { .write = reset_write };

/* The keyboard controller is there for its reset line only: nothing waits, nothing is full. */
static void keyboard_read(void *dev, uint64_t off, void *data, unsigned len)
{
	port_give(data, len, 0);
}

static void keyboard_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	if (*(const uint8_t *)data == 0xfe)
		pc_end(p->pc, CM_PC_END_RESET, 0, "reset by the keyboard controller");
}
static const struct bus_ops keyboard_ops = { .read = keyboard_read, .write = keyboard_write };

static void system_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;

	port_give(data, len, p->system_a);
}

static void system_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;
	uint8_t v = *(const uint8_t *)data;

	if (v & 1 & ~p->system_a)
		pc_end(p->pc, CM_PC_END_RESET, 0, "reset by port %#x", CM_PC_SYSTEM_A);
	p->system_a = v;
}
static const struct bus_ops system_ops = { .read = system_read, .write = system_write };

/* ---- debug output; reads as its own number, by which guests find it */

static void debug_read(void *dev, uint64_t off, void *data, unsigned len)
{
	port_give(data, len, CM_PC_DEBUG_PUTC);
}

static void debug_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	pc_serial_write(&p->pc->serial, data, 1);
}
static const struct bus_ops debug_ops = { .read = debug_read, .write = debug_write };

/* Every character that goes out by a port is an exit; a block of memory is one. */
static void console_read(void *dev, uint64_t off, void *data, unsigned len)
{
	port_give(data, len, CM_PC_CONSOLE_ID);
}

static void console_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;
	struct cm_pc_block b;
	char text[512];

	if (gmem_read(&p->pc->mem, port_value(data, len), &b, sizeof(b)) < 0)
		return;
	if (b.len > CM_PC_BLOCK_MAX)
		b.len = CM_PC_BLOCK_MAX;
	while (b.len > 0) {
		size_t n = b.len < sizeof(text) ? b.len : sizeof(text);

		if (gmem_read(&p->pc->mem, b.gpa, text, n) < 0)
			return;
		pc_serial_write(&p->pc->serial, text, n);
		b.gpa += n;
		b.len -= (uint32_t)n;
	}
}
static const struct bus_ops console_ops = { .read = console_read, .write = console_write };

/* ---- test device */

static void test_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;

	memcpy(data, p->test_data + off, len);
}

static void test_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	memcpy(p->test_data + off, data, len);
}
static const struct bus_ops test_ops = { .read = test_read, .write = test_write };

/* KVM must forget how the page is mapped: the host's mapping of it changes and changes back. */
static void flush_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;
	uint64_t gpa = port_value(data, len) & ~0xfffu;
	void *page = gmem_ptr(&p->pc->mem, gpa, 0x1000, true);

	if (!page)
		return;
	mprotect(page, 0x1000, PROT_NONE);
	mprotect(page, 0x1000, PROT_READ | PROT_WRITE);
}
static const struct bus_ops flush_ops = { .write = flush_write };

static void irq_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	pc_irq_line(p->pc, (unsigned)off, port_value(data, len) != 0);
}
static const struct bus_ops irq_ops = { .write = irq_write };

static void ram_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;

	memcpy(data, p->test_ram + off, len);
}

static void ram_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	memcpy(p->test_ram + off, data, len);
}
static const struct bus_ops ram_ops = { .read = ram_read, .write = ram_write };

/* ---- CMOS and clock */

static uint8_t bcd(int v)
{
	return (uint8_t)(v / 10 % 10 << 4 | v % 10);
}

/* The clock runs by UTC in BCD and 24 hours, whatever register B asks for; UIP is set in the last two milliseconds of a second. */
static uint8_t cmos_get(struct pc_ports *p, uint8_t index)
{
	struct timespec t;
	struct tm tm;
	uint8_t c;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	switch (index) {
	case 0x00:
		return bcd(tm.tm_sec);
	case 0x02:
		return bcd(tm.tm_min);
	case 0x04:
		return bcd(tm.tm_hour);
	case 0x06:
		return (uint8_t)(tm.tm_wday + 1);
	case 0x07:
		return bcd(tm.tm_mday);
	case 0x08:
		return bcd(tm.tm_mon + 1);
	case 0x09:
		return bcd(tm.tm_year % 100);
	case 0x32:
		return bcd((tm.tm_year + 1900) / 100);
	case 0x0a:
		return (uint8_t)(0x26 | (t.tv_nsec > 998000000 ? 0x80 : 0));
	case 0x0b:
		return (uint8_t)(p->cmos[0x0b] | 0x02);
	case 0x0c:
		c = p->cmos_update != (uint64_t)t.tv_sec ? 0x10 : 0;
		p->cmos_update = (uint64_t)t.tv_sec;
		return c;
	case 0x0d:
		return 0x80; /* the battery is good */
	default:
		return p->cmos[index];
	}
}

static void cmos_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;

	pthread_mutex_lock(&p->lock);
	port_give(data, len, off ? cmos_get(p, p->cmos_index) : 0xff);
	pthread_mutex_unlock(&p->lock);
}

static void cmos_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;
	uint8_t v = *(const uint8_t *)data;

	pthread_mutex_lock(&p->lock);
	if (off == 0)
		p->cmos_index = v & 0x7f;
	else
		p->cmos[p->cmos_index] = v;
	pthread_mutex_unlock(&p->lock);
}
static const struct bus_ops cmos_ops = { .read = cmos_read, .write = cmos_write };

/* Sizes where old kernels look for them: KiB from 1 MiB, 64 KiB from 16 MiB. */
static void cmos_memory(struct pc_ports *p, uint64_t low)
{
	uint64_t ext = (low - (1u << 20)) >> 10,
		 above = low > 16u << 20 ? (low - (16u << 20)) >> 16 : 0;

	ext = ext > 0xffff ? 0xffff : ext;
	p->cmos[0x15] = 640 & 0xff;
	p->cmos[0x16] = 640 >> 8;
	p->cmos[0x17] = p->cmos[0x30] = (uint8_t)ext;
	p->cmos[0x18] = p->cmos[0x31] = (uint8_t)(ext >> 8);
	p->cmos[0x34] = (uint8_t)above;
	p->cmos[0x35] = (uint8_t)(above >> 8);
}

/* ---- fw_cfg: selected by the first port, read byte by byte from the second; what is unknown reads as zeros */

static void fwcfg_select(struct pc_ports *p, uint16_t key)
{
	uint64_t ram = p->pc->low_size + p->pc->high_size, v = 0;
	unsigned len = 0;

	switch (key) {
	case 0x00:
		memcpy(&v, "QEMU", 4); /* the interface's signature */
		len = 4;
		break;
	case 0x01:
		v = 1;
		len = 4;
		break;
	case 0x03:
		v = ram;
		len = 8;
		break;
	case 0x05:
	case 0x0f:
		v = p->pc->ncpus;
		len = 2;
		break;
	default:
		break;
	}
	memcpy(p->fwcfg, &v, sizeof(v));
	p->fwcfg_len = len;
	p->fwcfg_at = 0;
}

static void fwcfg_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;
	uint32_t v = 0;

	pthread_mutex_lock(&p->lock);
	if (off == 1 && p->fwcfg_at < p->fwcfg_len)
		v = p->fwcfg[p->fwcfg_at++];
	pthread_mutex_unlock(&p->lock);
	port_give(data, len, v);
}

static void fwcfg_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;

	if (off != 0)
		return;
	pthread_mutex_lock(&p->lock);
	fwcfg_select(p, (uint16_t)port_value(data, len));
	pthread_mutex_unlock(&p->lock);
}
static const struct bus_ops fwcfg_ops = { .read = fwcfg_read, .write = fwcfg_write };

/* ---- ACPI power management */

#define PM_SLEEP       0x2000u
#define PM_TYPE(v)     ((v) >> 10 & 7u)
#define PM_TYPE_S5     0u
#define PM_TYPE_S3     1u
#define PM_TIMER_HZ    3579545u
#define PM_STATUS_WAKE 0x8400u /* woken, by the clock */

/* Off: event registers, control, the timer. */
static void pm_read(void *dev, uint64_t off, void *data, unsigned len)
{
	struct pc_ports *p = dev;
	struct timespec t;
	uint32_t v = 0;

	pthread_mutex_lock(&p->lock);
	if (off < 4) {
		v = ((uint32_t)p->pm_enable << 16 | p->pm_status) >> 8 * off;
	} else if (off < 8) {
		v = (uint32_t)p->pm_control >> 8 * (off - 4);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &t);
		v = (uint32_t)((uint64_t)t.tv_sec * PM_TIMER_HZ +
			       (uint64_t)t.tv_nsec * PM_TIMER_HZ / 1000000000u) &
		    0xffffff;
	}
	pthread_mutex_unlock(&p->lock);
	port_give(data, len, v);
}

/* The clock's alarm is the only thing that can wake the machine. */
static void pm_sleep(struct pc_ports *p, uint32_t v)
{
	bool wakes;

	if (PM_TYPE(v) == PM_TYPE_S5) {
		pc_end(p->pc, CM_PC_END_SHUTDOWN, 0, "ACPI power off");
		return;
	}
	if (PM_TYPE(v) != PM_TYPE_S3)
		return;
	pthread_mutex_lock(&p->lock);
	wakes = (p->cmos[0x0b] & 0x20) && (p->pm_enable & 0x400);
	p->pm_status |= PM_STATUS_WAKE;
	pthread_mutex_unlock(&p->lock);
	if (wakes)
		pc_sleep(p->pc);
	else
		pc_end(p->pc, CM_PC_END_SHUTDOWN, 0, "ACPI sleep with nothing to wake from it");
}

static void pm_write(void *dev, uint64_t off, const void *data, unsigned len)
{
	struct pc_ports *p = dev;
	uint32_t v = port_value(data, len);

	pthread_mutex_lock(&p->lock);
	if (off == 0)
		p->pm_status &= (uint16_t)~v;
	if (off == 2 || (off == 0 && len == 4))
		p->pm_enable = (uint16_t)(off == 0 ? v >> 16 : v);
	if (off == 4)
		p->pm_control = (uint16_t)(v & ~PM_SLEEP);
	pthread_mutex_unlock(&p->lock);
	if (off == 4 && (v & PM_SLEEP))
		pm_sleep(p, v);
}
static const struct bus_ops pm_ops = { .read = pm_read, .write = pm_write };

int pc_ports_init(struct pc_ports *p, struct pc *pc)
{
	const struct {
		uint16_t port, len;
		const struct bus_ops *ops;
	} ports[] = {
		{ CM_PC_DEBUG_EXIT, 4, &exit_ops },
		{ CM_PC_DEBUG_PUTC, 1, &debug_ops },
		{ CM_PC_CONSOLE, 4, &console_ops },
		{ CM_PC_TEST_DATA, 4, &test_ops },
		{ CM_PC_TEST_FLUSH, 4, &flush_ops },
		{ CM_PC_TEST_IRQ, CM_PC_TEST_IRQS, &irq_ops },
		{ CM_PC_CMOS, 2, &cmos_ops },
		{ CM_PC_FWCFG, 2, &fwcfg_ops },
		{ CM_PC_PM_EVENT, CM_PC_PM_TIMER + 4 - CM_PC_PM_EVENT, &pm_ops },
		{ CM_PC_BOCHS_OFF, 1, &bochs_ops },
		{ CM_PC_RESET, 1, &reset_ops },
		{ CM_PC_KEYBOARD, 1, &keyboard_ops },
		{ CM_PC_SYSTEM_A, 1, &system_ops },
	};
	int r = 0;

	memset(p, 0, sizeof(*p));
	p->pc = pc;
	pthread_mutex_init(&p->lock, NULL);
	/* gmtime_r would do it at its first use, by opening a file. */
	tzset();
	cmos_memory(p, pc->low_size);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]) && r == 0; i++) {
		/* PCI has the ports around it. */
		if (ports[i].port == CM_PC_RESET && pc->chipset.has_pci)
			continue;
		r = bus_add(&pc->pio, ports[i].port, ports[i].len, ports[i].ops, p);
	}
	return r < 0 ? r : bus_add(&pc->mmio, CM_PC_TEST_RAM, CM_PC_TEST_RAM_LEN, &ram_ops, p);
}
