/* Attempts that are one system call: what the filter of worker/spawner/filter.c must answer itself.
 *
 * Arguments are such that the call does no harm where it is not filtered: a kernel that is reached
 * says EFAULT, EBADF or EINVAL, a filter says EPERM or ENOSYS. */
#include <linux/keyctl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/clients/escape/attempt.h"

#define ROW(name, what, refused, number, ...)                                                      \
    {                                                                                              \
        name, what, refused, NULL, number, { __VA_ARGS__ }, NULL, false                            \
    }
#define DENIED(name, what, number, ...)  ROW(name, what, "EPERM", number, __VA_ARGS__)
#define UNKNOWN(name, what, number, ...) ROW(name, what, "ENOSYS", number, __VA_ARGS__)
#define NO_SOCKET(name, what, family, type, protocol)                                              \
    ROW(name, what, "EAFNOSUPPORT EPROTONOSUPPORT EPERM ENOSYS", SYS_socket, family, type, protocol)
#define NO_PAIR(name, what, family)                                                                \
    ROW(name, what, "EAFNOSUPPORT ENOSYS", SYS_socketpair, family, SOCK_DGRAM, 0, 0)

/* Calls and flags of kernels newer than the headers of Debian 12. */
enum {
    NUMBER_statmount = 457,
    NUMBER_listmount = 458,
    NUMBER_lsm_set_self_attr = 460,
    NUMBER_open_tree_attr = 467,
    FLAG_NEWTIME = 0x80,
    NOWHERE = 0, /* a NULL pointer */
};

// clang-format off
static const struct attempt list[] = {
    /* Namespaces, mounts, roots. */
    DENIED("mount", "mount something", SYS_mount, NOWHERE, NOWHERE, NOWHERE, 0, NOWHERE),
    DENIED("umount", "unmount something", SYS_umount2, NOWHERE, 0),
    DENIED("pivot_root", "change the root", SYS_pivot_root, NOWHERE, NOWHERE),
    DENIED("chroot", "change the root", SYS_chroot, NOWHERE),
    DENIED("open_tree", "copy a mount", SYS_open_tree, -1, NOWHERE, 1),
    DENIED("move_mount", "move a mount", SYS_move_mount, -1, NOWHERE, -1, NOWHERE, 0),
    DENIED("fsopen", "open a file system", SYS_fsopen, NOWHERE, 0),
    DENIED("fsconfig", "configure a file system", SYS_fsconfig, -1, 0, NOWHERE, NOWHERE, 0),
    DENIED("fsmount", "mount an opened file system", SYS_fsmount, -1, 0, 0),
    DENIED("fspick", "open a mounted file system", SYS_fspick, -1, NOWHERE, 0),
    DENIED("mount_setattr", "make a mount writable", SYS_mount_setattr, -1, NOWHERE, 0, NOWHERE, 0),
    UNKNOWN("open_tree_attr", "copy a mount with other attributes", NUMBER_open_tree_attr, -1, NOWHERE, 1, NOWHERE, 0),
    UNKNOWN("statmount", "ask for any mount", NUMBER_statmount, NOWHERE, NOWHERE, 0, 0),
    UNKNOWN("listmount", "list mounts", NUMBER_listmount, NOWHERE, NOWHERE, 0, 0),
    DENIED("unshare_user", "make a user namespace, and be root in it", SYS_unshare, CLONE_NEWUSER),
    DENIED("unshare_mount", "make a mount namespace", SYS_unshare, CLONE_NEWNS),
    DENIED("unshare_network", "make a network namespace", SYS_unshare, CLONE_NEWNET),
    DENIED("unshare_pid", "make a pid namespace", SYS_unshare, CLONE_NEWPID),
    DENIED("unshare_cgroup", "make a cgroup namespace", SYS_unshare, CLONE_NEWCGROUP),
    DENIED("unshare_time", "make a time namespace", SYS_unshare, FLAG_NEWTIME),
    DENIED("setns", "enter a namespace", SYS_setns, -1, 0),
    UNKNOWN("clone_user", "clone into a user namespace", SYS_clone, CLONE_NEWUSER | CLONE_FS, NOWHERE, NOWHERE, NOWHERE, NOWHERE),
    UNKNOWN("clone_network", "clone into a network namespace", SYS_clone, CLONE_NEWNET | CLONE_THREAD, NOWHERE, NOWHERE, NOWHERE, NOWHERE),
    UNKNOWN("clone3", "clone by a call whose flags no filter can see", SYS_clone3, NOWHERE, 0),
    DENIED("name_to_handle_at", "get a file's handle", SYS_name_to_handle_at, -1, NOWHERE, NOWHERE, NOWHERE, 0),
    DENIED("open_by_handle_at", "open any file of a file system by its handle", SYS_open_by_handle_at, -1, NOWHERE, 0),

    /* Kernel code that is large, new, or not made for strangers. */
    DENIED("bpf", "load a program into the kernel", SYS_bpf, 0, NOWHERE, 0),
    DENIED("io_uring_setup", "make calls behind the filter's back", SYS_io_uring_setup, 1, NOWHERE),
    DENIED("io_uring_enter", "the same, with a ring from elsewhere", SYS_io_uring_enter, -1, 1, 0, 0, NOWHERE, 0),
    DENIED("io_uring_register", "the same", SYS_io_uring_register, -1, 0, NOWHERE, 0),
    UNKNOWN("aio", "the older asynchronous calls", SYS_io_setup, 1, NOWHERE),
    DENIED("userfaultfd", "hold up the kernel in its own copies", SYS_userfaultfd, 0),
    DENIED("perf_event_open", "watch processors and kernel", SYS_perf_event_open, NOWHERE, 0, -1, -1, 0),
    DENIED("add_key", "put a key into a keyring", SYS_add_key, NOWHERE, NOWHERE, NOWHERE, 0, KEY_SPEC_PROCESS_KEYRING),
    DENIED("request_key", "look for somebody's key", SYS_request_key, NOWHERE, NOWHERE, NOWHERE, 0),
    DENIED("keyctl", "join a session keyring", SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NOWHERE, 0, 0, 0),
    DENIED("init_module", "load a module", SYS_init_module, NOWHERE, 0, NOWHERE),
    DENIED("finit_module", "load a module from a file", SYS_finit_module, -1, NOWHERE, 0),
    DENIED("delete_module", "remove a module", SYS_delete_module, NOWHERE, 0),
    DENIED("kexec_load", "load another kernel", SYS_kexec_load, 0, 65, NOWHERE, 0),
    DENIED("syslog", "read the kernel's log", SYS_syslog, 3, NOWHERE, 0),
    DENIED("acct", "have processes accounted in a file", SYS_acct, -1),
    DENIED("quotactl", "ask for quotas", SYS_quotactl, 0, NOWHERE, 0, NOWHERE),
    DENIED("swapon", "swap to a file", SYS_swapon, NOWHERE, 0),
    DENIED("swapoff", "stop swapping", SYS_swapoff, NOWHERE),
    DENIED("fanotify_init", "watch all files", SYS_fanotify_init, 0, 0),
    { "vhangup", "hang up a terminal", "EPERM", NULL, SYS_vhangup, { 0 }, NULL, true },
    UNKNOWN("memfd_secret", "memory that the kernel cannot see", SYS_memfd_secret, -1),
    UNKNOWN("move_pages", "move pages of a process", SYS_move_pages, 1, 0, NOWHERE, NOWHERE, NOWHERE, 0),
    UNKNOWN("migrate_pages", "move a process' memory", SYS_migrate_pages, 1, 0, NOWHERE, NOWHERE),
    UNKNOWN("lsm_set_self_attr", "change our security label", NUMBER_lsm_set_self_attr, 0, NOWHERE, 0, 0),
    UNKNOWN("no_such_call", "a call of a kernel that is not written yet", 999),
#ifdef __x86_64__
    DENIED("iopl", "talk to devices", SYS_iopl, 3),
    DENIED("ioperm", "talk to one device", SYS_ioperm, 0x80, 1, 1),
    DENIED("modify_ldt", "change segments", SYS_modify_ldt, 0, NOWHERE, 0),
    UNKNOWN("uselib", "a call that nobody uses", SYS_uselib, NOWHERE),
#endif

    /* Other processes. */
    DENIED("ptrace_me", "be traced", SYS_ptrace, PTRACE_TRACEME, 0, NOWHERE, NOWHERE),
    DENIED("ptrace_init", "trace the first process", SYS_ptrace, PTRACE_SEIZE, 0x7ffffffe, NOWHERE, NOWHERE),
    DENIED("process_vm_readv", "read another process' memory", SYS_process_vm_readv, 0x7ffffffe, NOWHERE, 0, NOWHERE, 0, 0),
    DENIED("process_vm_writev", "write it", SYS_process_vm_writev, 0x7ffffffe, NOWHERE, 0, NOWHERE, 0, 0),
    DENIED("process_madvise", "give advice about it", SYS_process_madvise, -1, NOWHERE, 0, 0, 0),
    DENIED("pidfd_getfd", "take another process' descriptor", SYS_pidfd_getfd, -1, 0, 0),
    DENIED("kcmp", "compare processes' descriptors", SYS_kcmp, 0x7ffffffe, 0x7ffffffe, 0, 0, 0),
    DENIED("personality", "switch address randomisation off", SYS_personality, 0x0040000),

    /* The host as a whole. */
    DENIED("clock_settime", "set the clock", SYS_clock_settime, 0, NOWHERE),
    DENIED("settimeofday", "set the clock the old way", SYS_settimeofday, -1, NOWHERE),
    DENIED("adjtimex", "bend the clock", SYS_adjtimex, NOWHERE),
    DENIED("clock_adjtime", "bend any clock", SYS_clock_adjtime, 0, NOWHERE),
    DENIED("sethostname", "rename the host", SYS_sethostname, NOWHERE, -1),
    DENIED("setdomainname", "rename its domain", SYS_setdomainname, NOWHERE, -1),
    DENIED("reboot", "reboot", SYS_reboot, 0, 0, 0, NOWHERE),
    ROW("syncfs", "have a disk of the host written back, again and again", "ok", SYS_syncfs, -1),

    /* Sockets. */
    NO_SOCKET("packet_socket", "see all frames", AF_PACKET, SOCK_RAW, 0),
    NO_SOCKET("raw_socket", "send packets of our own making", AF_INET, SOCK_RAW, 1),
    NO_SOCKET("raw_socket_6", "the same by IPv6", AF_INET6, SOCK_RAW, 58),
    NO_SOCKET("vsock", "speak to the hypervisor", AF_VSOCK, SOCK_STREAM, 0),
    NO_SOCKET("alg_socket", "the kernel's cryptography", AF_ALG, SOCK_SEQPACKET, 0),
    NO_SOCKET("key_socket", "IPsec", AF_KEY, SOCK_RAW, 2),
    NO_SOCKET("bluetooth", "Bluetooth", AF_BLUETOOTH, SOCK_RAW, 1),
    NO_SOCKET("can_socket", "CAN", AF_CAN, SOCK_RAW, 1),
    NO_SOCKET("tipc_socket", "TIPC", AF_TIPC, SOCK_DGRAM, 0),
    NO_SOCKET("xdp_socket", "AF_XDP", AF_XDP, SOCK_RAW, 0),
    NO_SOCKET("rds_socket", "RDS", AF_RDS, SOCK_SEQPACKET, 0),
    NO_SOCKET("x25_socket", "a family that few have looked at", AF_X25, SOCK_SEQPACKET, 0),
    NO_SOCKET("sctp_socket", "have the kernel load SCTP", AF_INET, SOCK_STREAM, 132),
    NO_SOCKET("dccp_socket", "have the kernel load DCCP", AF_INET, 6, 33),
    NO_SOCKET("dccp_by_type", "the same without naming it", AF_INET6, 6, 0),
    NO_SOCKET("seqpacket_by_type", "SCTP without naming it", AF_INET, SOCK_SEQPACKET, 0),
    NO_SOCKET("netlink_uevent", "listen to devices", AF_NETLINK, SOCK_DGRAM, 15),
    NO_SOCKET("netlink_audit", "speak to the audit system", AF_NETLINK, SOCK_DGRAM, 9),
    NO_SOCKET("netlink_netfilter", "packet filter rules", AF_NETLINK, SOCK_DGRAM, 12),
    NO_SOCKET("netlink_diag", "list sockets", AF_NETLINK, SOCK_DGRAM, 4),
    NO_SOCKET("netlink_usersock", "a message box that nobody counts", AF_NETLINK, SOCK_DGRAM, 2),
    NO_SOCKET("netlink_generic", "every family that has a generic netlink", AF_NETLINK, SOCK_DGRAM, 16),
    NO_SOCKET("netlink_xfrm", "IPsec by netlink", AF_NETLINK, SOCK_DGRAM, 6),
    NO_PAIR("tipc_pair", "TIPC by its pairs", AF_TIPC),
    NO_PAIR("alg_pair", "cryptography by a pair", AF_ALG),
    NO_PAIR("vsock_pair", "the hypervisor by a pair", AF_VSOCK),
    NO_PAIR("inet_pair", "a family that has no pairs", AF_INET),
};
// clang-format on

const struct attempts attempts_on_kernel = { list, sizeof list / sizeof list[0] };
