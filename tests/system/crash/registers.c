#include "registers.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)

int registers_skip_call(pid_t thread)
{
	return (int)ptrace(PTRACE_POKEUSER, thread, offsetof(struct user_regs_struct, orig_rax),
			   -1L);
}

int registers_set_result(pid_t thread, long result)
{
	return (int)ptrace(PTRACE_POKEUSER, thread, offsetof(struct user_regs_struct, rax), result);
}

#elif defined(__aarch64__)

int registers_skip_call(pid_t thread)
{
	int number = -1;
	struct iovec part = {&number, sizeof(number)};
	return (int)ptrace(PTRACE_SETREGSET, thread, (void *)(uintptr_t)NT_ARM_SYSTEM_CALL, &part);
}

int registers_set_result(pid_t thread, long result)
{
	struct user_regs_struct registers;
	struct iovec part = {&registers, sizeof(registers)};
	if (ptrace(PTRACE_GETREGSET, thread, (void *)(uintptr_t)NT_PRSTATUS, &part) < 0)
		return -1;
	registers.regs[0] = (unsigned long long)result;
	return (int)ptrace(PTRACE_SETREGSET, thread, (void *)(uintptr_t)NT_PRSTATUS, &part);
}

#else

int registers_skip_call(pid_t thread)
{
	(void)thread;
	errno = ENOSYS;
	return -1;
}

int registers_set_result(pid_t thread, long result)
{
	(void)result;
	return registers_skip_call(thread);
}

#endif
