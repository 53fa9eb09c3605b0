#!/bin/sh
# Install Andon from the folder that this file lies in, without a network.
#   sh install.sh [--prefix DIR] [--python PROGRAM] [--systemd]
#   sh install.sh [--prefix DIR] --rollback
# Each installation has a folder of its own under DIR/versions; DIR/current is the one that serves, DIR/previous the one before.
set -eu

prefix=/opt/andon
python=python3
systemd=no
rollback=no

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 2
}

while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --python)
      [ $# -ge 2 ] || fail "$1: found no value; expected one / 缺少取值"
      if [ "$1" = --prefix ]; then prefix=$2; else python=$2; fi
      shift 2
      ;;
    --systemd) systemd=yes; shift ;;
    --rollback) rollback=yes; shift ;;
    *) fail "found $1; expected --prefix DIR, --python PROGRAM, --systemd or --rollback / 未知选项 $1" ;;
  esac
done

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# Replace a link in one step: there is no moment without one.
point() {
  ln -sfn "$2" "$prefix/.$1.new"
  mv -fT "$prefix/.$1.new" "$prefix/$1"
}

if [ "$rollback" = yes ]; then
  [ -L "$prefix/previous" ] || fail "$prefix: found no earlier installation; expected one / 没有可以退回的旧版本"
  now=$(readlink "$prefix/current")
  before=$(readlink "$prefix/previous")
  point current "$before"
  point previous "$now"
  printf 'Back at %s. Restart: systemctl restart andon\n' "$before"
  printf '已退回 %s。请重启服务：systemctl restart andon\n' "$before"
  exit 0
fi

cd "$here"
sha256sum --check --strict --quiet SHA256SUMS >&2 ||
  fail "$here: found a file that was changed or is missing; nothing was installed / 文件缺失或被改动，未安装任何内容"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python: expected Python 3.11 or later / 需要 Python 3.11 或更高版本"

mkdir -p "$prefix/versions"
prefix=$(CDPATH='' cd -- "$prefix" && pwd)
new=versions/$(date -u +%Y%m%dT%H%M%SZ)-$$
trap 'rm -rf "${prefix:?}/$new"' EXIT
"$python" -m venv "$prefix/$new"
PIP_CONFIG_FILE=/dev/null "$prefix/$new/bin/python" -m pip --isolated --disable-pip-version-check install --quiet \
  --no-index --find-links "$here" --require-hashes --requirement "$here/requirements.txt"
"$prefix/$new/bin/andon" --version
trap - EXIT

if [ -L "$prefix/current" ]; then
  point previous "$(readlink "$prefix/current")"
fi
point current "$new"

if [ "$systemd" = yes ]; then
  for unit in "$here"/systemd/*.service "$here"/systemd/*.timer; do
    sed "s|/opt/andon|$prefix|g" "$unit" >"/etc/systemd/system/$(basename "$unit")"
  done
  mkdir -p /etc/andon
  [ -e /etc/andon/andon.env ] || install -m 0640 "$here/systemd/andon.env" /etc/andon/andon.env
  systemctl daemon-reload
fi

cat <<END
Installed in $prefix/$new; $prefix/current leads to it.
Next: $prefix/current/bin/andon serve, or, with --systemd: edit /etc/andon/andon.env, then systemctl enable --now andon
On a box beside the line: $prefix/current/bin/andon edge check CONFIG; with --systemd: write /etc/andon/edge.toml, then systemctl enable --now andon-edge
Go back: sh install.sh --prefix $prefix --rollback
已安装到 $prefix/$new，$prefix/current 指向它。
下一步：运行 $prefix/current/bin/andon serve；若使用了 --systemd，请编辑 /etc/andon/andon.env，再执行 systemctl enable --now andon
产线旁的设备盒：运行 $prefix/current/bin/andon edge check CONFIG；若使用了 --systemd，请写好 /etc/andon/edge.toml，再执行 systemctl enable --now andon-edge
退回旧版本：sh install.sh --prefix $prefix --rollback
END
