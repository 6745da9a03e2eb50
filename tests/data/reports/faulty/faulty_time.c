// SPDX-License-Identifier: GPL-2.0
/* Faults of time: sleeping where one must not, never coming back, interrupts, locks. */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include "faulty.h"

static DEFINE_SPINLOCK(lock);
static DECLARE_COMPLETION(never);

static void atomic_sleep(void)
{
	spin_lock(&lock);
	msleep(20);	/* LINE: atomic-sleep */
	spin_unlock(&lock);
}

static noinline void spin_for_ever(void)
{
	for (;;)
		cpu_relax();	/* LINE: spin */
}

static void loop(void)
{
	preempt_disable();
	spin_for_ever();	/* LINE: loop */
}

static void deadlock(void)
{
	spin_lock(&lock);
	spin_lock(&lock);	/* LINE: deadlock */
}

static void rcu_loop(void)
{
	rcu_read_lock();
	spin_for_ever();	/* LINE: rcu-loop */
}

static void wait(void)
{
	wait_for_completion(&never);	/* LINE: wait */
}

static void timer_fault(struct timer_list *timer)
{
	faulty_store(faulty_null, 2);	/* LINE: timer */
}

static DEFINE_TIMER(timer, timer_fault);

static void in_timer(void)
{
	mod_timer(&timer, jiffies + 1);
}

static void work_fault(struct work_struct *work)
{
	WARN(1, "from a work queue\n");	/* LINE: work */
}

static DECLARE_WORK(work, work_fault);

static void in_work(void)
{
	schedule_work(&work);
	flush_work(&work);
}

static int thread_fault(void *data)
{
	BUG();	/* LINE: thread */
	return 0;
}

static void in_thread(void)
{
	kthread_run(thread_fault, NULL, "faulty");
}

const struct faulty faulty_time[] = {
	{ "atomic-sleep", atomic_sleep }, { "loop", loop }, { "deadlock", deadlock }, { "rcu-loop", rcu_loop },
	{ "wait", wait }, { "timer", in_timer }, { "work", in_work }, { "thread", in_thread }, { }
};
