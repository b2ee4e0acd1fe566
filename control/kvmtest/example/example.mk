# Builds kernels under test: every .c file here becomes an .elf file.
CC = gcc
CASEMATE = casemate
CFLAGS = -O2 -Wall -Wextra -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mno-red-zone -mgeneral-regs-only
LDFLAGS = -static -nostdlib -no-pie -Wl,-Ttext-segment=0x100000 -Wl,-e,kt_start \
	-Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
KERNELS = $(patsubst %.c,%.elf,$(wildcard *.c))

all: $(KERNELS)

%.elf: %.c kvmtest.h
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<

check: all
	$(CASEMATE) kvmtest suite .

clean:
	rm -f $(KERNELS)

.PHONY: all check clean
