# To be sourced. `use_pip_configuration PYTHON` tells uv of the mirror and the certificates that this machine's owner
# set for pip, since uv does not read them.
# shellcheck shell=sh

use_pip_configuration() {
    : "${UV_DEFAULT_INDEX:=${UV_INDEX_URL:-$("$1" -m pip config get global.index-url 2>/dev/null || :)}}"
    : "${UV_DEFAULT_INDEX:=${PIP_INDEX_URL:-}}" "${SSL_CERT_FILE:=${PIP_CERT:-}}"
    for name in UV_DEFAULT_INDEX SSL_CERT_FILE; do
        eval "[ -z \"\$$name\" ] && unset $name || export $name"
    done
    export UV_LINK_MODE="${UV_LINK_MODE:-copy}"
}
