# To be sourced. `one_at_a_time FILE` waits until no living process holds FILE, and holds it until this shell ends.
# shellcheck shell=sh

one_at_a_time() {
    held=$1
    [ -w "$(dirname "$held")" ] || { echo "cannot write to $(dirname "$held")" >&2 && exit 1; }
    until ln -s $$ "$held" 2>/dev/null; do
        kill -0 "$(readlink "$held")" 2>/dev/null || rm -f "$held"
        sleep 0.2
    done
    trap 'rm -f "$held"' EXIT
    trap 'exit 130' INT TERM HUP
}
