/*
 * crc32c.h - CRC-32C (Castagnoli), as on every `commit` line, in block
 * indexes and in STORE/confirmed. The work is ISA-L's; this is its one door.
 */
#ifndef COMMON_CRC32C_H
#define COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of the bytes behind `crc` (0 for none) followed by data[0..len):
 * crc32c(crc32c(0, a), b) == crc32c(0, ab); crc32c(0, "123456789") == 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
