#!/bin/sh
# Install what a window needs on a bare Debian or Ubuntu: a virtual display, OpenGL
# without a graphics card, and the libraries that Qt's wheels expect of the system.
# Does nothing when everything is there. Without the right to install, says what to.
set -eu

required="
    fonts-dejavu-core
    libdbus-1-3 libegl1 libfontconfig1 libfreetype6 libgl1 libgl1-mesa-dri
    libglib2.0-0 libgssapi-krb5-2 libopengl0 libx11-6 libx11-xcb1
    libxcb-cursor0 libxcb-glx0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
    libxcb-randr0 libxcb-render-util0 libxcb-render0 libxcb-shape0 libxcb-shm0
    libxcb-sync1 libxcb-util1 libxcb-xfixes0 libxcb-xinerama0 libxcb-xkb1 libxcb1
    libxkbcommon-x11-0 libxkbcommon0
"
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || required="$required xauth xvfb"
# Images for tests and benchmarks, which do without where apt does not know them.
optional="dataset-fashion-mnist"

[ "$(uname -s)" = Linux ] || exit 0
if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    if ! command -v xvfb-run >/dev/null && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        echo "No display: install xvfb-run, Mesa's OpenGL and the XCB libraries of Qt 6." >&2
    fi
    exit 0
fi

# Names of the installed packages and of what they stand in for (libglib2.0-0 is
# libglib2.0-0t64 in newer releases).
installed=$(
    # shellcheck disable=SC2016  # dpkg's variables, not the shell's
    dpkg-query --show --showformat '${db:Status-Abbrev},${Package},${Provides}\n' |
        sed -n 's/^ii *,//p' | tr ',' '\n' | sed 's/^ *//; s/[ (:].*//'
)

missing() {
    for package in "$@"; do
        printf '%s\n' "$installed" | grep -Fqx "$package" || printf '%s ' "$package"
    done
}

known() { apt-cache show "$@" >/dev/null 2>&1; }

# Word splitting of the lists is meant.
# shellcheck disable=SC2086
needed=$(missing $required)
wanted=$(missing "$optional")

[ -n "$needed$wanted" ] || exit 0
# Lists that lack the optional package would lack it after an update too. (A bare image
# has no lists at all.)
lists=$(find /var/lib/apt/lists -name '*Packages*' 2>/dev/null || true)
if [ -z "$needed" ] && [ -n "$lists" ] && ! known "$optional"; then
    exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    if [ -n "$needed" ]; then
        echo "To open a window, first run: sudo apt-get install $needed" >&2
    fi
    exit 0
fi

install() {
    # shellcheck disable=SC2086
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

$as_root apt-get update --quiet </dev/null
# shellcheck disable=SC2086
[ -z "$needed" ] || install $needed
if [ -n "$wanted" ] && known "$optional"; then
    install "$optional" || echo "Going on without $optional." >&2
fi
