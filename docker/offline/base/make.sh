#!/bin/sh
# make.sh SUITE: writes the root file system of a slim Debian to standard output, as a tar.
# The archive and the certificates are those that this machine uses, so that builds inside reach what it reaches.
set -eu
suite=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/\?$')
archive=${archive%/}
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$archive" >&2
printf 'deb %s %s main\ndeb %s %s-updates main\ndeb %s-security %s-security main\n' \
    "$archive" "$suite" "$archive" "$suite" "$archive" "$suite" >"$root/etc/apt/sources.list"
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
TMPDIR=/tmp chroot "$root" update-ca-certificates >&2
# As in Debian's own slim image: no documentation, no services, no lists of packages.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'END'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/info/*
END
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/man/* "$root"/usr/share/locale/* \
    "$root"/usr/share/info/* "$root"/var/log/*.log "$root"/var/log/apt/*
find "$root/usr/share/doc" -type f ! -name copyright -delete
tar -C "$root" --numeric-owner -c .
