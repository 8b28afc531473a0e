/* System calls and the entry of a program without a C library, for lapwing-init. */
#ifndef WORKER_SPAWNER_INIT_SYSTEM_H
#define WORKER_SPAWNER_INIT_SYSTEM_H

#include <sys/syscall.h>

/* Called by _start, with the stack pointer of the program's first instruction. */
_Noreturn void init_start(long *stack);

/* A call with up to four arguments (a fifth is 0); negative: minus errno.  Inlined, so that a clone
 * that shares the stack finds no return address on it that the other has used up. */
#if defined(__x86_64__)
__asm__(".text\n.global _start\n.type _start, @function\n_start:\n"
        "xor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall init_start\nhlt\n");

static inline __attribute__((always_inline)) long system_call(
    long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = 0;
    long rv;

    __asm__ volatile("syscall"
                     : "=a"(rv)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return rv;
}
#elif defined(__aarch64__)
__asm__(".text\n.global _start\n.type _start, %function\n_start:\n"
        "mov x29, #0\nmov x30, #0\nmov x0, sp\nbl init_start\nbrk #0\n");

static inline __attribute__((always_inline)) long system_call(
    long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = 0;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "lapwing-init knows the system calls of x86_64 and aarch64 only"
#endif

#endif
