#!/usr/bin/env bash
# A Docker engine for the tests of the compose lane, on a Debian machine that has none running:
#   engine.sh install      engine 26.1, buildx and compose 2.26 from Debian 13's own archive (12 to 37 s)
#   engine.sh start DIR    an engine of our own: its socket, pid file, data and log are in DIR
#   engine.sh stop DIR     ends it; images stay in DIR/data
# A machine whose engine runs, or any but Debian, needs none of this.
set -euo pipefail

needed() { ! command -v dockerd >/dev/null || ! docker compose version >/dev/null 2>&1 || ! command -v debootstrap >/dev/null; }

install() {
    needed || return 0
    local sudo
    sudo=$(command -v sudo || true)
    # Itself once more, with root's rights: it writes to /etc, too.
    if [ "$(id -u)" != 0 ] && [ -n "$sudo" ]; then exec "$sudo" "$0" install; fi
    # Debian 12 has no compose v2. Its archive has that of Debian 13, which needs nothing newer than Debian 12 has: only
    # these four packages may come from there. The archive is the one that this machine's own sources name.
    local archive
    archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/\?$')
    if ! apt-cache policy docker-compose 2>/dev/null | grep -q trixie; then
        printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
            "${archive%/}" >/etc/apt/sources.list.d/trixie.sources
        printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n\nPackage: docker.io docker-cli docker-buildx docker-compose\nPin: release n=trixie\nPin-Priority: 990\n' \
            >/etc/apt/preferences.d/trixie
        apt-get update -qq
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        docker.io docker-cli docker-buildx docker-compose iptables debootstrap >/dev/null
}

start() {
    local dir=$1
    if docker --host "unix://$dir/docker.sock" version >/dev/null 2>&1; then echo "One runs in $dir already." >&2; return 1; fi
    command -v dockerd >/dev/null || { echo "There is no dockerd here." >&2; return 1; }
    mkdir -p "$dir"
    dockerd --host "unix://$dir/docker.sock" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
        >"$dir/docker.log" 2>&1 </dev/null &
    for _ in $(seq 100); do
        if docker --host "unix://$dir/docker.sock" version >/dev/null 2>&1; then return 0; fi
        sleep 0.3
    done
    tail -n 20 "$dir/docker.log" >&2
    return 1
}

stop() {
    local pid
    pid=$(cat "$1/docker.pid" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.2; done
    kill -9 "$pid"
}

"$@"
