#!/bin/bash
# Runs in the product image: makes the demonstration's snapshot in /lab with
# the image's own server and client programs, from the demonstration's pieces
# in /demo.
set -euo pipefail
engine=$1 orders=$2 layout=golang-migrate here=/demo top=/nowhere work=/lab
say() { echo "$@"; }
die() { echo "$@" >&2; exit 2; }
stop_server() { :; }
trap 'stop_server' EXIT
. /demo/layout.sh
. "/demo/$engine.sh"
