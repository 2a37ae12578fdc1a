/* A fatbin inside the binary. FATBIN_SYMBOL is what C calls it, FATBIN_PATH where it is; both from the Makefile. */
    .section .rodata
    .balign 64
    .global FATBIN_SYMBOL
    .type FATBIN_SYMBOL, @object
FATBIN_SYMBOL:
    .incbin FATBIN_PATH
    .size FATBIN_SYMBOL, . - FATBIN_SYMBOL
    .section .note.GNU-stack, "", @progbits
