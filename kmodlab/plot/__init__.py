# SPDX-License-Identifier: MIT
"""Pictures of what a running kernel says: records in, matplotlib ``Axes`` out.

Every picture has a title that states what there is to see, units, a text alternative (``alt_text``) and the
table behind it (``table``). At the end of a notebook cell the axes show themselves.
"""

from __future__ import annotations

from kmodlab.plot.address_space import address_space
from kmodlab.plot.allocations import allocations
from kmodlab.plot.anatomy import anatomy
from kmodlab.plot.bars import memory, memory_change
from kmodlab.plot.bits import ioctl_number
from kmodlab.plot.calls import calls
from kmodlab.plot.costs import allocation_costs
from kmodlab.plot.counters import counters
from kmodlab.plot.foundations import foundations
from kmodlab.plot.functions import functions, latencies
from kmodlab.plot.graph import dependencies
from kmodlab.plot.held import held
from kmodlab.plot.names import names
from kmodlab.plot.picture import Picture, alt_text, show, table
from kmodlab.plot.rates import rates
from kmodlab.plot.theme import Theme, set_theme
from kmodlab.plot.timeline import lives
from kmodlab.plot.tree import module_tree

__all__ = [
    "Picture",
    "Theme",
    "address_space",
    "allocation_costs",
    "allocations",
    "alt_text",
    "anatomy",
    "calls",
    "counters",
    "dependencies",
    "foundations",
    "functions",
    "held",
    "ioctl_number",
    "latencies",
    "lives",
    "memory",
    "memory_change",
    "module_tree",
    "names",
    "rates",
    "set_theme",
    "show",
    "table",
]
