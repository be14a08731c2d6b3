#!/usr/bin/env bash
# Installs what the tests need beside the build: browsers, Node, other people's clients.
source "$(dirname "$0")/lib.sh"

# Reads e.g. "chromium --version", so that a stub that only points to a snap store does not count.
answers() { timeout 60 "$@" >/dev/null 2>&1; }
venv_works() { python3 -c 'import ensurepip, venv'; }
has_cjk_font() { have fc-list && [ -n "$(fc-list ':lang=ko' family)" ]; }
chromium_works() { answers chromium --version || answers chromium-browser --version || answers google-chrome --version; }
firefox_works() { answers firefox-esr --version || answers firefox --version; }
namespace_tools() { have ip && have nsenter && have unshare; }
has_nft() { PATH="$PATH:/usr/sbin" have nft; }
coturn_clients() { have turnutils_uclient && have turnutils_stunclient && have turnutils_peer; }

chromium_package=chromium
firefox_package=firefox-esr
if is_ubuntu; then
  chromium_package=chromium-browser
  firefox_package=firefox
fi

build_needs
want "Node.js 18 or newer" "nodejs" have node
want "npm" "npm" have npm
want "a C++ compiler, for the fuzz targets" "g++" have c++
want "Chromium" "$chromium_package" chromium_works
want "Firefox ESR" "$firefox_package" firefox_works
want "PulseAudio, Firefox's sound card" "pulseaudio" have pulseaudio
want "coturn's clients (turnutils_uclient and others)" "coturn" coturn_clients
want "Python 3 with venv" "python3 python3-venv" venv_works
want "a font with Korean letters, for the screenshots" "fontconfig fonts-noto-cjk" has_cjk_font
want "ip, nsenter and unshare, for network namespaces" "iproute2 util-linux" namespace_tools
want "nft, for routers in network namespaces" "nftables" has_nft
want "openssl, for certificates" "openssl" have openssl
node_needs

node_packages web
node_packages tests/e2e

pinned=tests/e2e/python/requirements.txt
if ! cmp -s $pinned .venv/installed.txt; then
  say "Python packages in .venv"
  rm -rf .venv
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r $pinned
  cp $pinned .venv/installed.txt
fi
