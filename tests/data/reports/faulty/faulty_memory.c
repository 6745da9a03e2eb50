// SPDX-License-Identifier: GPL-2.0
/* Faults of memory and of the processor. */
#include <linux/bug.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include "faulty.h"

struct node {
	struct list_head link;
	int (*call)(int);
	char text[40];
};

static noinline int read_through(int *pointer)
{
	return READ_ONCE(*pointer);	/* LINE: read */
}

static void null_read(void)
{
	pr_info("read %d\n", read_through(faulty_null));	/* LINE: null-read */
}

static void null_write(void)
{
	faulty_store(faulty_null, 1);	/* LINE: null-write */
	pr_info("not reached\n");
}

static void null_field(void)
{
	struct node *node = faulty_null;

	pr_info("read %s\n", strim(node->text));	/* LINE: null-field */
}

static void null_call(void)
{
	int (*call)(int) = faulty_null;

	pr_info("called %d\n", call(1));	/* LINE: null-call */
}

static int held[4];

static void data_call(void)
{
	int (*call)(int) = (void *)held;

	pr_info("called %d\n", call(1));	/* LINE: data-call */
}

static void user_read(void)
{
	pr_info("read %d\n", read_through((int *)0x400000));	/* LINE: user-read */
}

static void wild_read(void)
{
	pr_info("read %d\n", read_through((int *)0xffffc8ff00001000));	/* LINE: wild-read */
}

static void noncanonical(void)
{
	pr_info("read %d\n", read_through((int *)0x6b6b6b6b6b6b6b6b));	/* LINE: noncanonical */
}

static void const_write(void)
{
	*(char *)"constant" = 'C';	/* LINE: const-write */
}

static void helper_null(void)
{
	memcpy(faulty_null, "0123456789", READ_ONCE(held[0]) + 10);	/* LINE: helper-null */
}

static void string_null(void)
{
	pr_info("length %zu\n", strlen(READ_ONCE(faulty_null)));	/* LINE: string-null */
}

static void bug(void)
{
	BUG_ON(!faulty_null);	/* LINE: bug */
}

static void warn(void)
{
	WARN_ON(!faulty_null);	/* LINE: warn */
}

static void warn_text(void)
{
	WARN(!faulty_null, "the pointer is %p, that is nothing\n", faulty_null);	/* LINE: warn-text */
}

static void warn_once(void)
{
	WARN_ONCE(!faulty_null, "once only\n");	/* LINE: warn-once */
}

static void oom_panic(void)
{
	panic("faulty: %s", "no way out");	/* LINE: panic */
}

static void divide(void)
{
	asm volatile("divl %2" : : "a"(1), "d"(0), "r"(READ_ONCE(held[1])));	/* LINE: divide */
}

static void invalid_opcode(void)
{
	asm volatile(".byte 0x0f, 0x37" : : : "rax", "rcx", "rdx");	/* LINE: invalid-opcode */
}

static void breakpoint(void)
{
	asm volatile("int3");	/* LINE: breakpoint */
}

static noinline int deeper(volatile char *above, int depth)
{
	volatile char room[512];

	room[depth % 512] = above[0];
	return deeper(room, depth + 1) + room[0];	/* LINE: deeper */
}

static void stack_overflow(void)
{
	volatile char room[1] = { 0 };

	pr_info("%d\n", deeper(room, 1));	/* LINE: stack-overflow */
}

static void stack_smash(void)
{
	char room[16];
	char *end = room;

	OPTIMIZER_HIDE_VAR(end);
	memset(end, 'x', 40 + READ_ONCE(held[0]));
	pr_info("%.10s\n", room);
}	/* LINE: stack-smash */

static void list_twice(void)
{
	LIST_HEAD(all);
	struct node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return;
	list_add(&node->link, &all);
	list_add(&node->link, &all);	/* LINE: list-twice */
}

static void list_deleted(void)
{
	LIST_HEAD(all);
	struct node *node = kzalloc(sizeof(*node), GFP_KERNEL);

	if (!node)
		return;
	list_add(&node->link, &all);
	list_del(&node->link);
	list_del(&node->link);	/* LINE: list-deleted */
}

static void refcount_zero(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);	/* LINE: refcount-zero */
}

static void refcount_under(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	if (refcount_dec_and_test(&count))	/* LINE: refcount-under */
		pr_info("now free\n");
}

static void double_free(void)
{
	void *room = kmalloc(64, GFP_KERNEL);
	void *again = room;

	OPTIMIZER_HIDE_VAR(again);
	kfree(room);
	kfree(again);	/* LINE: double-free */
}

static void wild_free(void)
{
	kfree((void *)held);	/* LINE: wild-free */
}

static void vfree_twice(void)
{
	void *room = vmalloc(4096);
	void *again = room;

	OPTIMIZER_HIDE_VAR(again);
	vfree(room);
	vfree(again);	/* LINE: vfree-twice */
}

static void huge_kmalloc(void)
{
	size_t size = 1UL << 40;

	OPTIMIZER_HIDE_VAR(size);
	kfree(kmalloc(size, GFP_KERNEL));	/* LINE: huge-kmalloc */
}

static void usercopy(void)
{
	struct node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	size_t size = 4096 + READ_ONCE(held[0]);

	if (!node)
		return;
	OPTIMIZER_HIDE_VAR(node);
	if (copy_to_user((void __user *)0x400000, node, size))	/* LINE: usercopy */
		pr_info("refused\n");
	kfree(node);
}

static void fortify(void)
{
	struct node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	size_t size = 100 + READ_ONCE(held[0]);

	if (!node)
		return;
	memset(node->text, 0, size);	/* LINE: fortify */
	kfree(node);
}

const struct faulty faulty_memory[] = {
	{ "null-read", null_read }, { "null-write", null_write }, { "null-field", null_field },
	{ "null-call", null_call }, { "data-call", data_call }, { "user-read", user_read },
	{ "wild-read", wild_read }, { "noncanonical", noncanonical }, { "const-write", const_write },
	{ "helper-null", helper_null }, { "string-null", string_null }, { "bug", bug }, { "warn", warn },
	{ "warn-text", warn_text }, { "warn-once", warn_once }, { "panic", oom_panic }, { "divide", divide },
	{ "invalid-opcode", invalid_opcode }, { "breakpoint", breakpoint }, { "stack-overflow", stack_overflow },
	{ "stack-smash", stack_smash }, { "list-twice", list_twice }, { "list-deleted", list_deleted },
	{ "refcount-zero", refcount_zero }, { "refcount-under", refcount_under }, { "double-free", double_free },
	{ "wild-free", wild_free }, { "vfree-twice", vfree_twice }, { "huge-kmalloc", huge_kmalloc },
	{ "usercopy", usercopy }, { "fortify", fortify }, { }
};
