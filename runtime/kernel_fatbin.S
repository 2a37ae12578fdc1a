/* The persistent kernel's fatbin, inside the binary. KERNEL_FATBIN is its path, from the Makefile. */
    .section .rodata
    .balign 64
    .global grosr_kernel_fatbin
    .type grosr_kernel_fatbin, @object
grosr_kernel_fatbin:
    .incbin KERNEL_FATBIN
    .size grosr_kernel_fatbin, . - grosr_kernel_fatbin
    .section .note.GNU-stack, "", @progbits
