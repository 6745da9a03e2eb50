#!/bin/sh
# SPDX-License-Identifier: MIT
# The inside of .ci/hub, in name spaces of its own: users, homes and a network that are not there outside; a hub; the
# trial.
set -eu
open=$1 top=$2 cache=$3 place=$4

mount -t tmpfs -o mode=755 srv /srv
mkdir -p /srv/kmodlab /srv/checkout /srv/etc/upper /srv/etc/work /srv/hub
chmod 700 /srv/hub
mount --bind "$cache" /srv/kmodlab
mount --bind -o remount,ro /srv/kmodlab /srv/kmodlab
[ -z "$open" ] || mount -t tmpfs -o mode=1777 open /srv/kmodlab/apt  # not a part that is shared
mount --bind "$top" /srv/checkout
mount -t overlay -o "lowerdir=/etc,upperdir=/srv/etc/upper,workdir=/srv/etc/work" overlay /etc
for own in /home /run; do mount -t tmpfs -o mode=755 own "$own"; done
for own in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o mode=1777 own "$own"; done
for name in anna ben carl; do
  useradd --create-home --shell /bin/bash "$name"
  chmod "$([ -n "$open" ] && echo 755 || echo 700)" "/home/$name"
done
export HUB_OPEN="$open" HUB_PLACE="$place" PATH="$place/env/bin:$PATH"
HUB_TOKEN=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
export HUB_TOKEN
unset KMODLAB_CACHE PYTHONPATH
cd /srv/hub
python -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))'  # up and running
jupyterhub -f /srv/checkout/tests/hub/config.py >log 2>&1 &
status=0
(cd /srv/checkout && python -B -m tests.hub.two_users http://127.0.0.1:8000 anna ben carl) || status=$?
case $status in 0 | 4) ;; *) tail -n 60 log ;; esac
exit "$status"  # and with this first process of the name space all others
