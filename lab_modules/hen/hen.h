/* SPDX-License-Identifier: GPL-2.0 */
/* What hen and egg offer each other. */
#ifndef HEN_H
#define HEN_H

int hen_lays(void);
int egg_hatches(void);

#endif
