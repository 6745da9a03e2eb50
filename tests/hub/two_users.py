# SPDX-License-Identifier: MIT
"""Two users of a JupyterHub, each with a machine of their own, and neither sees the other's: tried from inside.

Run by ``.ci/hub`` as root, which has the hub started: ``two_users.py URL USER USER USER``, with the hub's token in
``HUB_TOKEN``; the third user's server is to be started on port 20000. Prints a line for each check and what each user
costs; ends with status 0 if all holds, 4 if not.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from tests.hub.cost import costs, idle_costs
from tests.hub.hub_user import LIMIT, User

LOOK = Path(__file__).with_name("look.py")
# What a user leaves about, open to all as far as that is theirs to say.
START = """
import ctypes, os, subprocess, time
os.umask(0)
for place in ("/tmp", "/var/tmp", "/dev/shm", os.path.expanduser("~")):
    open(place + "/secret-{name}", "w").write("{name}")
ctypes.CDLL(None).shmget({uid}, 4096, 0o1666)
os.umask(0o077)
subprocess.Popen(["sleep", "1000"], start_new_session=True)
import kmodlab
get_ipython().run_line_magic("load_ext", "kmodlab")
"""
MODULE = """%%kmod hub_{name} --load
#include <linux/init.h>
#include <linux/module.h>

static int __init hub_init(void)
{{
	pr_info("this is {name}'s\\n");
	return 0;
}}

static void __exit hub_exit(void)
{{
}}

module_init(hub_init);
module_exit(hub_exit);
MODULE_LICENSE("GPL");
"""
FACTS = """
import json
vm = kmodlab.jupyter.load(get_ipython()).machine()
print(json.dumps([[module.name for module in vm.lsmod()], [entry.text for entry in vm.dmesg()],
                  str(vm.kernel.root), str(kmodlab.settings().cache)]))
"""
# A server in another's place, with the certificate that this user has.
SQUAT = """
import http.server, ssl, threading
class Squatter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"squatted")
    def log_message(self, *words):
        pass
squat = http.server.ThreadingHTTPServer(("127.0.0.1", 20000), Squatter)
if os.environ.get("JUPYTERHUB_SSL_CERTFILE"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["JUPYTERHUB_SSL_CERTFILE"], os.environ["JUPYTERHUB_SSL_KEYFILE"])
    squat.socket = context.wrap_socket(squat.socket, server_side=True)
threading.Thread(target=squat.serve_forever, daemon=True).start()
"""


class Book:
    """What was found, a line each."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, who: str, what: str, holds: bool, found: object = "") -> None:
        """Write down whether something holds; what was found is shown if it does not."""
        self.failed += not holds
        print(f"{who}: {'holds' if holds else 'FAILS'}: {what}" + ("" if holds else f": {found}"), flush=True)


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long something took."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def until(holds: Callable[[], object], limit: float = LIMIT) -> bool:
    """Whether something holds within so many seconds."""
    deadline = time.monotonic() + limit
    while not holds():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=LIMIT).ok
    except requests.ConnectionError:
        return False


def settle(book: Book, user: User) -> None:
    """Start everything of a user's, and see that it works."""
    with timed(f"{user.name}: the server"):
        user.start()
    costs(f"{user.name}, a server", user)
    with timed(f"{user.name}: a Jupyter kernel with kmodlab"):
        user.start_kernel()
        user.run(START.format(name=user.name, uid=user.uid))
    with timed(f"{user.name}: a cell of C, loaded"):
        user.run(MODULE.format(name=user.name))
    modules, log, kernel, cache = json.loads(user.run(FACTS))
    book.check(user.name, "has a module in a machine", modules[:1] == [f"hub_{user.name}"], modules)
    book.check(user.name, "reads its words", any(f"this is {user.name}'s" in line for line in log), log)
    book.check(user.name, "takes the shared kernel", kernel.startswith("/srv/kmodlab/"), kernel)
    book.check(user.name, "has a cache of its own", cache == f"{user.home}/.cache/kmodlab", cache)
    page = requests.get(f"{user.url}/kmodlab/course", headers=user.headers, timeout=LIMIT)
    book.check(user.name, "sees the course's index", "01_first_module.ipynb" in page.text, page.status_code)


def apart(book: Book, user: User, other: User) -> None:
    """See that a user sees nothing of another."""
    below = ("", f"secret-{other.name}", ".cache/kmodlab", ".local/share/kmodlab", ".local/share/jupyter/runtime")
    paths = [*(f"{other.home}/{name}" for name in below), f"/run/jupyterhub-certificates/{other.uid}"]
    paths = [path for path in paths if Path(path).exists()]
    sockets = other.kernel_sockets()
    given = (other.uid, paths, sockets, f"/user/{other.name}", user.token)
    seen = json.loads(user.run(f"{LOOK.read_text()}\nimport json\nprint(json.dumps(look{given!r}))"))
    ports, reached = seen["ports"], seen["sockets"]
    opened = [port for port, answer in ports.items() if any(word[0] in "123" for word in answer.split())]

    print(f"{user.name}: asked past the proxy, {other.name}'s ports say {ports}")

    def check(what: str, holds: object, found: object = "") -> None:
        book.check(user.name, what, bool(holds), found)

    check("sees none of the other's processes", not seen["processes"], seen["processes"])
    check("sees no machine but its own", not seen["machines"], seen["machines"])
    check("reads none of the other's files", paths and not seen["files"], seen["files"])
    check("sees no temporary file of the other's", not seen["temporary"], seen["temporary"])
    check("sees no shared memory of the other's", not seen["memory"], seen["memory"])
    # One port is the server's. At the other ipykernel takes what subprocesses print, with a secret before it.
    check("reaches no Jupyter kernel of the other's", sockets and not reached and len(ports) <= 2, (reached, ports))
    check("does not get past the proxy to the other's server", ports and not opened, ports)
    check("writes nothing into the shared cache", not seen["written"], seen["written"])
    check("can become nobody else", not seen["may_become_root"])
    check("has no debugger that listens on a port", not seen["debugger"])
    for what, url in (
        ("does not use the other's server", f"{other.url}/api/kernels"),
        ("does not look the other up", f"{user.hub}/hub/api/users/{other.name}"),
    ):
        status = requests.get(url, headers=user.headers, timeout=LIMIT).status_code
        check(what, status in {403, 404}, status)


def squat(book: Book, user: User, third: User) -> None:
    """See that a user cannot take the place of another's server, whose port is known."""
    user.run(SQUAT)
    with contextlib.suppress(AssertionError, requests.HTTPError):
        third.start()
    answer = requests.get(f"{third.url}/api", timeout=LIMIT, allow_redirects=False)
    book.check(user.name, "serves nothing in another's place", "squatted" not in answer.text, answer.text)


def main() -> int:
    """Try all of it.

    Returns:
        An exit status.
    """
    hub, *names, last = sys.argv[1:]
    admin = {"Authorization": f"token {os.environ['HUB_TOKEN']}"}
    assert until(lambda: answers(f"{hub}/hub/api/")), "the hub does not answer"
    book, users = Book(), [User(hub, name, admin) for name in names]
    for user in users:
        settle(book, user)
    first, second = users
    apart(book, first, second)
    apart(book, second, first)
    squat(book, second, User(hub, last, admin))
    for user in users:
        costs(f"{user.name}, a machine with a module", user)
        rests = until(lambda user=user: user.run("print(vm.dozing)").strip() == "True", 20)  # type: ignore[misc]
        book.check(user.name, "has a machine that rests when nobody talks to it", rests)
    idle_costs(users)
    with timed(f"{first.name}: the server's end"):
        first.stop()
        ended = until(lambda: not first.processes(), 10)
    book.check(first.name, "leaves no process when its server is stopped", ended, first.processes())
    modules = json.loads(second.run(FACTS))[0]
    book.check(second.name, "goes on with its machine", modules[:1] == [f"hub_{second.name}"], modules)
    print("all holds" if not book.failed else f"{book.failed} checks fail")
    return 4 if book.failed else 0


if __name__ == "__main__":
    sys.exit(main())
