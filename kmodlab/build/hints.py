# SPDX-License-Identifier: MIT
"""What the commonest complaints of the tools mean, in one plain sentence each, for someone who meets them first."""

from __future__ import annotations

import re

from kmodlab.build.functions import HEADER_OF, INSTEAD

__all__ = ["hint_for"]

_TYPOGRAPHY = (
    "a character that C does not know stands there, often a typographic quote, dash or space copied from a web page: "
    "type it anew as a plain \", ', - or space"
)
_SEMICOLON = "look at the marked place and at the end of the line above: often a ; or a bracket is missing there"
_UNCLOSED = "a { further up has no }: count the brackets of the function above the marked place"
_VERSION = (
    "what the kernel offers changes from version to version: look it up in the headers of the kernel you build for"
)
_OUTSIDE = (
    "compare the function with the one the kernel's header expects: every parameter and the return type must agree"
)

# First match wins. In a sentence, {0} is the pattern's first group.
_SENTENCES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), sentence)
    for pattern, sentence in (
        (r"stray '\\(?:\d{3}|u|U|x)|stray '[^\\]+' in|extended character", _TYPOGRAPHY),
        (
            r"stray '\\' in program",
            "a \\ stands outside a string: often a quote before it is missing or not a plain one",
        ),
        (r"null character", "the file holds a NUL byte: delete it"),
        (
            r"^(?:sys/\w+|std\w+|string|unistd|errno|math|time|pthread|signal|fcntl|assert|ctype|limits)\.h: No such",
            "that header belongs to the C library, which does not exist in the kernel: "
            "use kernel headers, such as <linux/kernel.h>, <linux/string.h>, <linux/slab.h>",
        ),
        (
            r"^(linux/\S+|asm/\S+|net/\S+): No such file",
            "this kernel has no header of that name: check the spelling; headers move from version to version",
        ),
        (
            r"^(?:/\S+: (?:No such file|Permission denied)|file not found: /)",
            "builds see the module's own files and the kernel's headers, nothing else of this computer",
        ),
        (
            r"^(\S+\.h): No such file",
            "there is no {0} beside the C file: check the spelling, and write kernel headers as <linux/…>",
        ),
        (r"invalid storage class for function|expected declaration or statement at end of input", _UNCLOSED),
        (r"unterminated argument list|missing terminating", "a quote or a bracket that was opened is not closed"),
        (r"unterminated comment", "a /* has no */"),
        (r"unterminated #|#endif without|#else without", "each #if needs its #endif"),
        (r"called object is not a function|expected expression before '{' token", _SEMICOLON),
        (r"expected .* before|expected .* at end of input|expected identifier or", _SEMICOLON),
        (r"SSE register|x87|floating[- ]point", "the kernel does not use floating point: reckon with integers"),
        (r"implicit declaration of function 'module_", "include <linux/module.h>"),
        (
            r"type defaults to 'int' in declaration of 'module_|data definition has no type",
            "a header or a type is missing: modules need <linux/module.h> and <linux/init.h>",
        ),
        (
            r"unknown type name '(?:bool|u8|u16|u32|u64|s8|s16|s32|s64|size_t|ssize_t|loff_t)'",
            "include <linux/types.h> first",
        ),
        (r"unknown type name 'FILE'", "there are no FILE streams in the kernel"),
        (
            r"unknown type name '(\w+)'",
            "the compiler has not seen a type {0}: include its header, or check the spelling",
        ),
        (r"has no member named '(\w+)'", f"the structure has no field {{0}}; {_VERSION}"),
        (
            r"too (?:few|many) arguments to function '(\w+)'",
            f"{{0}}() takes another number of arguments here; {_VERSION}",
        ),
        (
            r"invalid use of undefined type|dereferencing pointer to incomplete|incomplete type|storage size of",
            "include the header that defines this structure",
        ),
        (r"incompatible (?:pointer|return) type|incompatible types", _OUTSIDE),
        (
            r"makes (?:pointer from integer|integer from pointer) without a cast",
            "a number is used as an address, or an address as a number",
        ),
        (
            r"no return statement|control reaches end of non-void",
            "the function promises a value: return one, 0 for success or a negative errno",
        ),
        (
            r"format '(%\S+)' expects",
            "the value does not fit {0}: choose another conversion (Documentation/core-api/printk-formats.rst)",
        ),
        (
            r"too few arguments for format|too many arguments for format",
            "the text has another number of % conversions than values follow",
        ),
        (r"redefinition of '(\w+)'", "{0} is defined twice"),
        (
            r"conflicting types for '(\w+)'",
            "{0} was declared differently before, perhaps by a kernel header: choose another name or make it agree",
        ),
        (r"static declaration of '(\w+)' follows non-static", "a kernel header already has {0}: choose another name"),
        (r"no previous prototype for '(\w+)'", "write static before {0}(), unless other files call it"),
        (r"unused variable '(\w+)'", "{0} is never used: delete it"),
        (
            r"'(\w+)' defined but not used",
            "nothing uses {0}: for an init or exit function, write module_init() or module_exit() with its name",
        ),
        (
            r"frame size of \d+ bytes",
            "a kernel stack has 16 KiB in all: take large arrays from kmalloc() or make them static",
        ),
        (
            r"ISO C90 forbids mixed|variable length array",
            "kernel style: declare variables at the top of a block, with a fixed size",
        ),
        (r"(?:is|may be) used uninitialized", "give it a value before it is read"),
        (
            r"initializer element is not constant",
            "outside functions only constants may be given: set it in the init function",
        ),
        (r"read-only|assignment of read-only", "it is const: it cannot be changed"),
        (r"no such instruction", "the assembler does not know this instruction: check the asm() text"),
        (r"multiple definition of [`'](\w+)'", "{0} is defined in two files: make one of them static, or delete it"),
        (
            r"missing MODULE_LICENSE",
            'write MODULE_LICENSE("GPL"); at the end: without it the kernel does not accept the module',
        ),
        (r"missing MODULE_DESCRIPTION", 'write MODULE_DESCRIPTION("what it does"); at the end'),
        (
            r"GPL-incompatible module .* uses GPL-only symbol '(\w+)'",
            '{0} is for GPL modules only: write MODULE_LICENSE("GPL"), or do without it',
        ),
        (
            r"uses symbol (\w+) from namespace (\w+)",
            "write MODULE_IMPORT_NS({1}); (from Linux 6.13 on with quotes) beside MODULE_LICENSE",
        ),
        (
            r"[Ss]ection mismatch",
            "code that stays calls or reads what is freed after init: take __init or __initdata away, or add it "
            "to the caller",
        ),
        (
            r"missing separator",
            "make does not understand this line: a Kbuild needs little more than obj-m := NAME.o, and recipe "
            "lines begin with a tab",
        ),
        (
            r"No rule to make target '(?:\S*/)?([^/']+)\.o'",
            "the Kbuild asks for {0}.o, but there is no {0}.c: their names must agree",
        ),
    )
)


def hint_for(message: str, tool: str = "gcc") -> str:
    """Return what a message means and what to do, in one sentence; empty if nothing certain can be said."""
    # Since Linux 6.10 the allocators are macros around functions of these names.
    message = message.replace("_noprof'", "'")
    if match := re.search(r"implicit declaration of function '(\w+)'|^'(\w+)' undeclared", message):
        return _unknown_name(match[1] or match[2], called=bool(match[1]))
    if tool == "modpost" and (match := re.match(r'"(\w+)" .*undefined!', message)):
        return _undefined(match[1])
    for pattern, sentence in _SENTENCES:
        if match := pattern.search(message):
            return sentence.format(*match.groups()) if match.groups() else sentence
    return ""


def _unknown_name(name: str, *, called: bool) -> str:
    if name in INSTEAD:
        return f"the kernel has no C library, so no {name}(): use {INSTEAD[name]}"
    if name in HEADER_OF:
        return f"add #include <{HEADER_OF[name]}>"
    if called:
        return (
            f"the compiler has not seen a function {name}() up to here: check the spelling, include its header, "
            "or write it further up; functions of the C library do not exist in the kernel"
        )
    return f"the compiler has not seen {name} up to here: check the spelling, declare it, or include its header"


def _undefined(name: str) -> str:
    if name in INSTEAD:
        return f"the kernel has no C library, so no {name}(): use {INSTEAD[name]}"
    return (
        f"no part of the kernel offers {name} to modules: it is misspelt, not exported (EXPORT_SYMBOL) in this kernel, "
        "or defined in a file that the Kbuild does not name"
    )
