# SPDX-License-Identifier: MIT
"""Disposable virtual machines: boot once, freeze, clone.

``provision`` makes what a machine is made of, ``qemu`` and ``emulator`` run it, ``template`` keeps it frozen, and
``machine`` is what everybody else uses.
"""
