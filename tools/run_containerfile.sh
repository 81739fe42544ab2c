#!/usr/bin/env bash
# Runs the steps of the Containerfile without podman: each stage in a chroot on Debian's base system, then its CMD until healthy.
# As root on Debian, with debootstrap and git:  tools/run_containerfile.sh [NAME=VALUE of an ARG…]
# It builds no image: no layers, and Debian's Python instead of BASE. The mounts are its own, and its folder goes at the end.
set -euo pipefail
[[ ${OWN_MOUNTS:-} ]] || exec env OWN_MOUNTS=1 unshare --mount "$0" "$@"

cd "$(dirname "$0")/.."
work=$(mktemp -d /var/tmp/containerfile.XXXXXX)
chmod 755 "$work"
server=
finish() {
    if [[ $server ]]; then kill "$server" && wait "$server" || true; fi
    umount "$work"/*/proc "$work/base" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT

apt() { sed -n "s/^$1: *\([^ ]*\).*/\1/p" /etc/apt/sources.list.d/debian.sources | head -1; }
mkdir "$work/base" "$work/context"
mount -t tmpfs -o size=2g,mode=755 tmpfs "$work/base"  # on a disk dpkg waits minutes for it
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$(apt Suites)" "$work/base" "$(apt URIs)" >"$work/log" 2>&1
echo "== base: Debian $(apt Suites), $(du -sm "$work/base" | cut -f1) MB, $SECONDS s"
# How this machine reaches a package index, with the folders of wheels that pip is told of here.
for path in /etc/hosts /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt /etc/pip.conf /etc/xdg/pip ~/.config/pip ${PIP_FIND_LINKS:-}; do
    if [[ -e $path ]]; then mkdir -p "$work/base${path%/*}" && cp -rLT "$path" "$work/base$path"; fi
done
git archive HEAD | tar -x -C "$work/context"
(cd "$work/context" && shopt -s globstar nullglob && while read -r pattern; do rm -rf -- $pattern; done <.containerignore)

declare -A arg env
for pair; do arg[${pair%%=*}]=${pair#*=}; done
argv=()
inside() {  # COMMAND…: argv runs it in the root of the stage, with nothing but the variables of the stage
    local name
    argv=(env -i)
    for name in "${!env[@]}"; do argv+=("$name=${env[$name]}"); done
    argv+=(chroot --userspec="$user" "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$folder" "$@")
}
words() { python3 -c 'import json, sys; print(*json.loads(sys.argv[1]), sep="\0", end="\0")' "$1"; }

while read -r instruction rest <&3; do
    echo "== $instruction $rest"
    case $instruction in
    ARG)
        name=${rest%%=*} value=${rest#*=} value=${value#\"}
        arg[$name]=${arg[$name]-${value%\"}} ;;
    FROM)
        root=$work/last user=0:0 folder=/
        if [[ $rest == *" AS "* ]]; then root=$work/${rest##* AS }; fi
        env=([PATH]=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin [HOME]=/root)
        cp -a "$work/base" "$root"
        mount -t proc proc "$root/proc" ;;
    COPY)
        from=$work/context
        if [[ $rest == --from=* ]]; then from=${rest%% *} from=$work/${from#--from=} rest=${rest#* }; fi
        mkdir -p "$root${rest#* }" && cp -a --no-preserve=ownership "$from/${rest% *}/." "$root${rest#* }" ;;
    RUN)
        inside /usr/bin/env
        for name in "${!arg[@]}"; do argv+=("$name=${arg[$name]}"); done
        for name in ${!PIP_*}; do argv+=("$name=${!name}"); done
        start=$SECONDS
        "${argv[@]}" /bin/sh -c "$rest"
        echo "   $((SECONDS - start)) s" ;;
    ENV) for pair in $rest; do env[${pair%%=*}]=${pair/'$PATH'/${env[PATH]}} env[${pair%%=*}]=${env[${pair%%=*}]#*=}; done ;;
    USER) user=$rest ;;
    WORKDIR) folder=$rest ;;
    HEALTHCHECK) mapfile -d '' health < <(words "${rest#*CMD }") ;;
    ENTRYPOINT) mapfile -d '' entrypoint < <(words "$rest") ;;
    CMD) mapfile -d '' command < <(words "$rest") ;;
    VOLUME | EXPOSE) ;;
    *) echo "not supported: $instruction" >&2 && exit 1 ;;
    esac
done 3< <(sed '/^ *#/d; /^ *$/d' Containerfile | sed ':a; /\\$/{N; s/\\\n//; ba}')
echo "== the root folder: $(du -smx "$root" | cut -f1) MB after $SECONDS s"

# As in a container the network is its own, so the port of the health check is free and no other machine reaches it.
env[RAG_PASSWORD]=$(head -c 12 /dev/urandom | base64) start=$SECONDS
inside "${entrypoint[@]}" "${command[@]}"
unshare --net sh -c 'ip link set lo up && exec "$@"' sh "${argv[@]}" &
server=$!
inside "${health[@]}"
until nsenter --net="/proc/$server/ns/net" "${argv[@]}" 2>"$work/log"; do
    if ! kill -0 "$server" || ((SECONDS - start > 90)); then tail -3 "$work/log" && exit 1; fi
    sleep 2
done
echo "== healthy after $((SECONDS - start)) s, as user $(stat -c %u "/proc/$server")"
