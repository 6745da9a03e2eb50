# SPDX-License-Identifier: MIT
"""Functions that beginners reach for: which header declares them, or what the kernel has in place of them."""

from __future__ import annotations

__all__ = ["HEADER_OF", "INSTEAD"]

_HEADERS = {
    "linux/slab.h": "kmalloc kzalloc kcalloc kmalloc_array kfree kstrdup krealloc kmem_cache_create kmem_cache_alloc",
    "linux/vmalloc.h": "vmalloc vzalloc vfree",
    "linux/mm.h": "kvmalloc kvfree get_user_pages remap_pfn_range",
    "linux/uaccess.h": "copy_to_user copy_from_user get_user put_user strncpy_from_user",
    "linux/delay.h": "msleep mdelay udelay ssleep usleep_range ndelay",
    "linux/fs.h": "register_chrdev unregister_chrdev alloc_chrdev_region register_chrdev_region register_filesystem "
    "simple_read_from_buffer simple_write_to_buffer iminor imajor",
    "linux/cdev.h": "cdev_init cdev_add cdev_del cdev_alloc",
    "linux/device.h": "class_create class_destroy device_create device_destroy dev_info dev_err",
    "linux/miscdevice.h": "misc_register misc_deregister",
    "linux/proc_fs.h": "proc_create proc_mkdir proc_remove remove_proc_entry proc_create_data",
    "linux/seq_file.h": "seq_printf seq_puts single_open seq_open",
    "linux/debugfs.h": "debugfs_create_dir debugfs_create_file debugfs_remove debugfs_create_u32",
    "linux/kthread.h": "kthread_run kthread_create kthread_stop kthread_should_stop",
    "linux/interrupt.h": "request_irq free_irq tasklet_init tasklet_schedule",
    "linux/timer.h": "timer_setup mod_timer timer_delete timer_delete_sync del_timer del_timer_sync add_timer",
    "linux/workqueue.h": "schedule_work queue_work cancel_work_sync alloc_workqueue INIT_WORK schedule_delayed_work",
    "linux/mutex.h": "mutex_lock mutex_unlock mutex_init DEFINE_MUTEX mutex_lock_interruptible",
    "linux/spinlock.h": "spin_lock spin_unlock spin_lock_init DEFINE_SPINLOCK spin_lock_irqsave",
    "linux/wait.h": "wake_up wait_event wait_event_interruptible init_waitqueue_head wake_up_interruptible",
    "linux/poll.h": "poll_wait",
    "linux/string.h": "strlen strcmp strcpy strscpy memcpy memset strncmp memcmp strsep",
    "linux/kernel.h": "kstrtoint kstrtoul kstrtol snprintf sprintf scnprintf sscanf",
    "linux/jiffies.h": "msecs_to_jiffies jiffies_to_msecs time_after time_before",
    "linux/ktime.h": "ktime_get ktime_get_ns ktime_sub ktime_to_ns",
    "linux/random.h": "get_random_bytes get_random_u32",
    "linux/io.h": "ioremap iounmap readl writel ioread32 iowrite32",
    "linux/pci.h": "pci_register_driver pci_enable_device pci_iomap pci_set_drvdata",
    "linux/netdevice.h": "alloc_netdev register_netdev unregister_netdev free_netdev netif_rx netdev_priv",
    "linux/etherdevice.h": "alloc_etherdev eth_hw_addr_random ether_setup eth_type_trans",
    "linux/list.h": "list_add list_del list_add_tail INIT_LIST_HEAD list_empty LIST_HEAD",
    "linux/err.h": "IS_ERR PTR_ERR ERR_PTR",
    "linux/moduleparam.h": "module_param MODULE_PARM_DESC module_param_array",
    "linux/module.h": "module_init module_exit MODULE_LICENSE THIS_MODULE MODULE_AUTHOR MODULE_DESCRIPTION",
    "linux/printk.h": "printk pr_info pr_err pr_warn KERN_INFO pr_debug",
    "linux/gfp.h": "GFP_KERNEL GFP_ATOMIC alloc_page __get_free_page free_page",
    "linux/sched.h": "current schedule set_current_state TASK_INTERRUPTIBLE",
}
HEADER_OF = {name: header for header, names in _HEADERS.items() for name in names.split()}
"""The name of a function, macro or constant to the header that declares it."""

INSTEAD = {
    "printf": "pr_info()",
    "puts": "pr_info()",
    "fprintf": "pr_err()",
    "perror": "pr_err()",
    "malloc": "kmalloc(size, GFP_KERNEL)",
    "calloc": "kcalloc(n, size, GFP_KERNEL)",
    "realloc": "krealloc()",
    "free": "kfree()",
    "strdup": "kstrdup()",
    "sleep": "ssleep()",
    "usleep": "usleep_range()",
    "exit": "a return value",
    "abort": "a return value, or WARN_ON()",
    "atoi": "kstrtoint()",
    "strtol": "kstrtol()",
    "rand": "get_random_u32()",
    "time": "ktime_get_real_seconds()",
    "gettimeofday": "ktime_get_real()",
    "open": "a file operation of your own, since a module does not open files",
    "fopen": "a file operation of your own, since a module does not open files",
    "assert": "WARN_ON()",
    "pthread_create": "kthread_run()",
    "pthread_mutex_lock": "mutex_lock()",
}
"""The name of a function of the C library to what a module uses."""
