/*
 * Fuzzing: each program of this folder has one function that takes any bytes and must come back, without a
 * word from the sanitizers. `make fuzz` runs them under libFuzzer, from the inputs in corpus/NAME, and keeps
 * what it learns there; `make check` runs every kept input once (replay.c).
 */
#ifndef GROSR_FUZZ_H
#define GROSR_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
