// SPDX-License-Identifier: GPL-2.0
/*
 * unwind: an init function of three steps, each of which may fail. Whatever has
 * been done by then must be undone, in reverse order, and the error returned:
 * a module whose init fails must leave nothing behind.
 *
 * The parameter "fail" makes one of the steps fail: 1, 2 or 3.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/init.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#define NOTE_SIZE 512

static int fail;
module_param(fail, int, 0444);
MODULE_PARM_DESC(fail, "the step that fails, 1 to 3; 0: none");

static char *note;
static struct proc_dir_entry *folder;

static int note_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "%s\n", note);
	return 0;
}

static int __init unwind_init(void)
{
	int err;

	/* Step 1: memory for the note. */
	note = fail == 1 ? NULL : kzalloc(NOTE_SIZE, GFP_KERNEL);
	if (!note)
		return -ENOMEM;
	strscpy(note, "all three steps went well", NOTE_SIZE);

	/* Step 2: the folder /proc/unwind. */
	folder = fail == 2 ? NULL : proc_mkdir("unwind", NULL);
	/* BEGIN SOLUTION: if step 2 failed, undo step 1 and return -ENOMEM */
	if (!folder) {
		err = -ENOMEM;
		goto free_note;
	}
	/* SKELETON: err = 0; */
	/* END SOLUTION */

	/* Step 3: the file /proc/unwind/note, which only a later step could refuse. */
	if (fail == 3 || !proc_create_single("note", 0444, folder, note_show)) {
		/* BEGIN SOLUTION: undo steps 2 and 1 and return -ENOMEM */
		err = -ENOMEM;
		goto remove_folder;
		/* SKELETON: return err; */
		/* END SOLUTION */
	}
	return 0;
	/* BEGIN SOLUTION: the labels, in the reverse order of the steps */

remove_folder:
	proc_remove(folder);
free_note:
	kfree(note);
	return err;
	/* END SOLUTION */
}

static void __exit unwind_exit(void)
{
	/* BEGIN SOLUTION: undo all three steps, the last one first */
	proc_remove(folder);	/* and what is in it */
	kfree(note);
	/* END SOLUTION */
}

module_init(unwind_init);
module_exit(unwind_exit);

MODULE_DESCRIPTION("An init function that undoes what it has done when a later step fails");
MODULE_AUTHOR("The kmodlab authors");
MODULE_LICENSE("GPL");
